"""Reads requests from what a client has sent so far."""

from __future__ import annotations

import re
from typing import NamedTuple

MOST_HEAD = 1 << 16
MOST_BODY = 8 << 20
# What differs between requests of a kind: numbers, ids, and the values of a query.
VARYING = re.compile(r"(?<=/)(?=[^/?]*\d)[0-9a-fA-F-]{8,}(?=[/?]|$)|(?<==)[^&]*|\d+")


class BadRequestError(ValueError):
    """What came is no HTTP request, or one that is too large."""


class Request(NamedTuple):
    """A request that is all here: `data`, its every byte. `fields` are its header fields, named in lower case.

    `is_last`: its client wants the connection to be closed after the answer.
    """

    data: bytes
    method: str
    path: str
    fields: dict[str, str]
    body: bytes
    is_last: bool

    @property
    def kind(self) -> tuple[str, str]:
        """Return what it has in common with others: method and path, without what varies."""
        return self.method, VARYING.sub("#", self.path)


def parse(data: bytes) -> Request | None:
    """Return the first request in some bytes, None while part of it is missing.

    Raises:
        BadRequestError: it is none.
    """
    head = read_head(data)
    if head is None:
        return None
    method, path, version, fields, start = head
    body, end = _body(data, start, fields)
    if body is None:
        return None
    connection = fields.get("connection", "").lower()
    is_last = connection == "close" or (version == "HTTP/1.0" and connection != "keep-alive")
    return Request(data[:end], method, path, fields, body, is_last)


def waits_to_continue(data: bytes) -> bool:
    """Tell whether the client of a request that is not all here waits to be told to send the rest."""
    head = read_head(data)
    return head is not None and head[3].get("expect", "").lower() == "100-continue"


def read_head(data: bytes) -> tuple[str, str, str, dict[str, str], int] | None:
    """Return method, path, version and fields, and where the body begins; None while part of these is missing.

    Raises:
        BadRequestError: it is no head of a request.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > MOST_HEAD:
            raise BadRequestError("a head without an end")
        return None
    line, *rest = data[:end].decode("latin-1").split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or not words[1] or not words[2].startswith("HTTP/1."):
        raise BadRequestError(f"{line!r} begins no request")
    fields = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
    return words[0], words[1], words[2], fields, end + 4


def _body(data: bytes, start: int, fields: dict[str, str]) -> tuple[bytes | None, int]:
    """Return the body that begins at `start`, None while it is not all here, and where it ends."""
    try:
        if fields.get("transfer-encoding", "").lower() == "chunked":
            return _chunks(data, start)
        length = int(fields.get("content-length") or 0)
    except ValueError as error:
        raise BadRequestError(str(error)) from None
    if not 0 <= length <= MOST_BODY:
        raise BadRequestError(f"a body of {length} bytes")
    end = start + length
    return (data[start:end] if len(data) >= end else None), end


def _chunks(data: bytes, at: int) -> tuple[bytes | None, int]:
    body = b""
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end].partition(b";")[0], 16)
        at = end + 2
        if size == 0:
            return _trailer(data, at, body)
        if not 0 < size <= MOST_BODY - len(body):
            raise ValueError(f"a chunk of {size} bytes")
        if len(data) < at + size + 2:
            break
        body += data[at : at + size]
        at += size + 2
    return None, 0


def _trailer(data: bytes, at: int, body: bytes) -> tuple[bytes | None, int]:
    """Pass over the fields behind a body in chunks."""
    while (end := data.find(b"\r\n", at)) >= 0:
        if end == at:
            return body, end + 2
        at = end + 2
    return None, 0
