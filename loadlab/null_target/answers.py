"""The answers of a null target: the real target's, asked for once, or made up."""

from __future__ import annotations

import http.client
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from loadlab.null_target import book
from loadlab.null_target.request import MOST_BODY, Request

MOST_KINDS = 64  # of requests: so often is the target asked, by each process
MOST_KNOWN = 4096  # requests, by their bytes
LONGEST_KNOWN = 1 << 13
TARGET_S = 2.0  # for the target to answer
# Fields of one connection, or of the length, which is told anew.
OWN = {
    *("connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"),
    *("content-length", "expect", "host"),
}


class Answer(NamedTuple):
    """An answer, its every byte, and the place of its counter in the `Book`."""

    content: bytes
    slot: int


class Answers:
    """Every answer that one process knows. `known` are those to requests that came before, by all of their bytes."""

    def __init__(self, target: SplitResult) -> None:
        self.known: dict[bytes, Answer] = {}
        self._target = target
        self._kinds: dict[tuple[str, str], Answer] = {}
        self._newest: dict[str, Answer] = {}

    def find(self, request: Request) -> Answer:
        """Return the answer to a request: that of its kind, which is asked for the first time."""
        answer = self._kinds.get(request.kind)
        if answer is None and len(self._kinds) >= MOST_KINDS:
            answer = self._newest.get(request.method)
        if answer is None:
            answer = self._learn(request)
        if not request.is_last and len(self.known) < MOST_KNOWN and len(request.data) < LONGEST_KNOWN:
            self.known[request.data] = answer
        return answer

    def _learn(self, request: Request) -> Answer:
        content = ask(self._target, request)
        answer = Answer(content or made_up(request.method), book.slot(request.method, is_made_up=content is None))
        self._kinds[request.kind] = self._newest[request.method] = answer
        return answer


def ask(target: SplitResult, request: Request) -> bytes | None:
    """Return the target's answer to a request, its every byte; None where it gives none in time, or one too long."""
    connect = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    fields = {name: value for name, value in request.fields.items() if name not in OWN}
    try:
        connection = connect(target.netloc, timeout=TARGET_S)
        try:
            connection.request(request.method, request.path, request.body or None, fields)
            return _written(target, request.method, connection.getresponse())
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError):
        return None


def _written(target: SplitResult, method: str, response: http.client.HTTPResponse) -> bytes | None:
    body = response.read(MOST_BODY + 1)
    if len(body) > MOST_BODY:
        return None
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    for name, value in response.getheaders():
        kept = _within(target, value) if name.lower() in ("location", "content-location") else value
        if kept is not None and name.lower() not in OWN:
            lines.append(f"{name}: {kept}")
    length = response.getheader("Content-Length") if method == "HEAD" else str(len(body))
    if length is not None and response.status not in (204, 304):
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _within(target: SplitResult, url: str) -> str | None:
    """Return a URL of the target without its origin; None of another's: nobody is sent elsewhere at full speed."""
    parts = urlsplit(url)
    if parts.netloc not in ("", target.netloc):
        return None
    return parts._replace(scheme="", netloc="").geturl() or "/"


def made_up(method: str) -> bytes:
    """Return an answer that is right often enough: an empty JSON list to those who read, no content to others."""
    if method not in ("GET", "HEAD"):
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    return head + (b"[]" if method == "GET" else b"")
