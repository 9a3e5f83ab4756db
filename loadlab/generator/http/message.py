"""Writes requests. What does not change from one request to the next is checked and written once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from geventhttpclient.header import Headers
from geventhttpclient.url import URL

MOST_KNOWN = 4096  # URLs made of what differs between requests would fill the memory
PORTS = {"http": 80, "https": 443}
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})

# RFC 9110 sections 5.1, 5.5 and 9.1, RFC 9112 section 3.2: what is not allowed here would write another request.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[^\x00-\x20\x7f]+")

Origin = tuple[str, str, int]  # scheme, host, port


@dataclass(frozen=True, slots=True)
class Written:
    """A request as far as it is the same each time: the bytes of its head without the empty line, and all of it.

    `url` has what was asked for, without `params`; `has_cookies` when the user wrote that header.
    """

    method: str
    origin: Origin
    url: str
    head: bytes
    whole: bytes
    has_cookies: bool

    def with_body(self, body: bytes, cookies: str) -> bytes:
        """Return the bytes of the request with a body."""
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (self.head, _cookie_line(cookies), len(body), body)

    def with_cookies(self, cookies: str) -> bytes:
        """Return the bytes of the request without a body."""
        return self.head + _cookie_line(cookies) + self.whole[len(self.head) :] if cookies else self.whole

    def chunked(self, body: Iterable[bytes], cookies: str) -> bytes:
        """Return the bytes of the request with a body that is in chunks already."""
        return self.head + _cookie_line(cookies) + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(body)

    def framed(self, body: bytes, cookies: str) -> bytes:
        """Return the bytes of the request with a body whose length, or chunks, the head tells already."""
        return self.head + _cookie_line(cookies) + b"\r\n" + body


def write(method: str, url: URL, headers: Headers, *, asked: str, through_proxy: bool = False) -> Written:
    """Write the head of a request; `asked` is its URL as the record has it.

    Raises:
        ValueError: method, target or a header has characters that are not allowed in it, or the URL has no host.
    """
    if not _TOKEN.fullmatch(method):
        raise ValueError(f"invalid HTTP method {method!r}")
    method = method.upper()
    origin = scheme, _, port = origin_of(url)
    target = url.quoted_uri or "/"
    if not target.startswith("/"):
        target = "/" + target
    if not _TARGET.fullmatch(target) or target.startswith("//"):
        raise ValueError(f"invalid request target {target!r}")
    host = f"[{url.host}]" if ":" in url.host else url.host
    if port != PORTS[scheme]:
        host += f":{port}"
    if through_proxy and scheme == "http":
        target = f"http://{host}{target}"
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in headers:
        lines.append(f"Host: {checked_value('Host', host)}")
    lines += [f"{_checked_name(name)}: {checked_value(name, value)}" for name, value in headers.items()]
    head = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
    no_body = b"Content-Length: 0\r\n\r\n" if method in BODY_METHODS else b"\r\n"
    return Written(method, origin, asked, head, head + no_body, "cookie" in headers)


def origin_of(url: URL) -> Origin:
    """Return which server a URL is of.

    Raises:
        ValueError: of none that HTTP leads to.
    """
    if url.scheme not in PORTS or not _HOST.fullmatch(url.host):
        raise ValueError(f"invalid URL {str(url)!r}: http:// or https:// and a host are needed")
    return url.scheme, url.host, url.port or PORTS[url.scheme]


def checked_value(name: str, value: Any) -> str:
    """Return a header's value.

    Raises:
        ValueError: it has a line break, or another character that is not allowed.
    """
    text = str(value)
    if not _VALUE.fullmatch(text):
        raise ValueError(f"invalid value for header field {name!r}: {text!r}")
    return text


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise ValueError(f"invalid header field name {name!r}")
    return name


def merged(*some: Mapping[str, Any] | None) -> Headers:
    """Return headers put together, a later one in place of an earlier one of its name."""
    headers = Headers()
    for one in some:
        if one:
            headers.update(one)
    return headers


def _cookie_line(cookies: str) -> bytes:
    return f"Cookie: {checked_value('Cookie', cookies)}\r\n".encode("latin-1") if cookies else b""
