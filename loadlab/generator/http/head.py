"""The head of an answer: its status line and headers, looked through once and known from then on."""

from __future__ import annotations

import re

# Most heads came before to the last byte, but for a clock that moves once a second.
MOST_KNOWN = 64
MOST_KNOWN_BYTES = 4096

_CLOSES = re.compile(rb"\r\nconnection:[^\r]*\bclose\b")
_CODED = re.compile(rb"\r\ntransfer-encoding:([^\r]*)")


class Head:
    """`raw` are its bytes as they came, without the empty line; `lowered` the same in lower case.

    `refused` says why an answer with such a head is to be refused, and is empty where it is not. `tells` is whether the
    target tells of itself in it, by `Server-Timing` or `X-Instance`.
    """

    __slots__ = ("closes", "has_length", "is_encoded", "lowered", "raw", "refused", "sets_cookies", "tells")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.lowered = lowered = raw.lower()
        self.closes = bool(_CLOSES.search(lowered))
        is_coded = b"\r\ntransfer-encoding:" in lowered
        self.has_length = is_coded or b"\r\ncontent-length:" in lowered
        self.is_encoded = b"\r\ncontent-encoding:" in lowered
        self.sets_cookies = b"\r\nset-cookie:" in lowered
        self.tells = b"\r\nserver-timing:" in lowered or b"\r\nx-instance:" in lowered
        self.refused = ""
        if not raw.startswith(b"HTTP/1."):
            self.refused = f"the version is not HTTP/1: {raw[:8].decode('latin-1')!r}"
        elif is_coded and [one.strip(b" ") for one in _CODED.findall(lowered)] != [b"chunked"]:
            # What is not in chunks has no end but the connection's; what is in something else besides is not undone.
            self.refused = "a transfer encoding other than chunked"

    def header(self, name: str) -> str | None:
        """Return the values of a header, joined by commas; None where it did not come. `name` is in lower case."""
        lowered, sought = self.lowered, f"\r\n{name}:".encode()
        at = lowered.find(sought)
        if at < 0:
            return None
        values = []
        while at >= 0:
            begin = at + len(sought)
            end = lowered.find(b"\r\n", begin)
            values.append(self.raw[begin : end if end >= 0 else None].strip().decode("latin-1"))
            at = lowered.find(sought, begin)
        return ", ".join(values)


NONE = Head(b"HTTP/1.")
_known: dict[bytes, Head] = {}


def head_of(raw: bytes) -> Head:
    """Return the head of some bytes: the one that is known, where they came before."""
    head = _known.get(raw)
    if head is None:
        head = Head(raw)
        if len(raw) <= MOST_KNOWN_BYTES:
            if len(_known) >= MOST_KNOWN:
                _known.clear()
            _known[raw] = head
    return head
