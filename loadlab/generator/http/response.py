"""What a request returns: the attributes of FastHttpUser's responses, worked out when they are asked for."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urljoin

from geventhttpclient.header import Headers
from geventhttpclient.response import HTTPParseError
from geventhttpclient.url import URL
from locust.contrib.fasthttp import FastRequest, ResponseContextManager

from loadlab.generator.http import content
from loadlab.generator.http import head as heads
from loadlab.generator.http.head import Head


class LeanResponse(ResponseContextManager):
    """An answer that came, whatever its status.

    `head` has its status line and headers. Times are in s on the
    performance counter: `began` is when the request was asked for, `connect_s` how long making a connection took (0
    where one was there), `sent` when all of it had been sent, `first_byte` and `ended` when the answer came.
    `connects` counts them, `reconnects` the connections that were found closed on the way. The request's time in the
    record is from `began` plus `connect_s`: the making of a connection is told apart.
    """

    status_code: int = 0
    content: bytes = b""
    url: str | None = None
    error: BaseException | None = None
    head: Head = heads.NONE
    began = connect_s = sent = first_byte = ended = 0.0
    connects = reconnects = 0
    tells_phases = True  # the recorder asks whether all this is there
    _headers: Headers | None = None
    _asked: tuple[str, bytes] = ("GET", b"GET / HTTP/1.1")
    _past: tuple[LeanResponse, ...] = ()
    _stream: BytesIO | None = None
    _catch_response = False
    request_meta: dict[str, Any]
    _request_event: Any

    def __init__(self) -> None:
        """Make one that is empty: the session fills it in."""

    @property
    def headers(self) -> Headers:  # type: ignore[override]
        """Return the headers; names in any case, a name that came more than once has a list of values."""
        if self._headers is None:
            self._headers = parse_headers(self.head.raw)
        return self._headers

    @property
    def request(self) -> FastRequest:  # type: ignore[override]
        """Return the request that was answered."""
        method, sent = self._asked
        head, _, body = sent.partition(b"\r\n\r\n")
        request = FastRequest(self.url or "", method=method, headers=parse_headers(head), payload=body or None)
        request.url_split = URL(urljoin(request.url, head.split(b" ", 2)[1].decode()))  # with what `params` added
        return request

    @property
    def history(self) -> list[LeanResponse]:  # type: ignore[override]
        """Return the redirects that led here, the first one first."""
        return list(self._past)

    @property
    def elapsed(self) -> timedelta:
        """Return the time from sending to the answer's first bytes."""
        return timedelta(seconds=self.first_byte - self.began - self.connect_s)

    @property
    def reason(self) -> str:
        """Return what the status line says besides the number."""
        return self.head.raw.partition(b"\r\n")[0].decode("latin-1").partition(" ")[2].partition(" ")[2]

    @property
    def stream(self) -> BytesIO:  # type: ignore[override]
        """Return the content as a stream."""
        if self._stream is None:
            self._stream = BytesIO(self.content)
        return self._stream

    def read(self, n: int | None = None) -> bytes:
        """Return the next `n` bytes of the content, or all that are left."""
        return self.stream.read(n)

    def readline(self) -> bytes:
        """Return the next line of the content."""
        return self.stream.readline()

    def release(self) -> None:
        """Do nothing: the content is here, the connection has been given back."""

    def isclosed(self) -> bool:
        """Return True: all of it is here."""
        return True

    def iter_content(self, chunk_size: int = 1024, decode_content: bool = True) -> Iterator[bytes | str]:
        """Yield the content in parts, as text where it is UTF-8."""
        while chunk := self.read(chunk_size):
            try:
                yield chunk.decode() if decode_content else chunk
            except UnicodeDecodeError:
                yield chunk

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stream)

    def __len__(self) -> int:
        return int(self.header("content-length") or len(self.content))

    def header(self, name: str) -> str | None:
        """Return the values of a header, joined by commas; None where it did not come. `name` is in lower case."""
        return self.head.header(name)

    def decode(self, most_bytes: int) -> None:
        """Undo the content's encoding; where that cannot be done, it stays as it is and `error` says why."""
        try:
            self.content = content.decode(self.content, self.header("content-encoding") or "", most_bytes)
        except (zlib.error, HTTPParseError) as error:
            self.error = error


class NoResponse(LeanResponse):
    """What stands for the answer where none came: `error` says why."""

    content = None  # type: ignore[assignment]
    text = None  # type: ignore[assignment]
    headers = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return 0


def parse_headers(head: bytes) -> Headers:
    """Return the headers of a head that has been found good."""
    headers = Headers()
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers.add(name, value.strip(" \t"))
    return headers
