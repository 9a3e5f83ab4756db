"""Reads one answer after the other from the bytes of a connection. The parsing itself is llhttp's (Node's own)."""

from __future__ import annotations

from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError
from httptools import HttpParserError, HttpResponseParser

from loadlab.generator.http import head as heads
from loadlab.generator.http.head import Head, head_of

END_OF_HEAD = b"\r\n\r\n"
LEAST_INTERIM, SWITCHED, LEAST_FINAL = 100, 101, 200


class Answer:
    """What has been read of the answer that a connection waits for; made once a connection and used again.

    `head` is that of the final answer, heads.NONE before it is there, `body` what was announced as its content, still
    encoded. `is_reusable` tells whether the connection can carry another request.
    """

    __slots__ = (
        "_begun",
        "_body",
        "_idle_bytes",
        "_is_head",
        "_parser",
        "_raw",
        "_refused",
        "_size",
        "body",
        "head",
        "is_complete",
        "is_reusable",
        "most_body",
        "most_head",
        "status",
    )

    def __init__(self, most_head: int, most_body: int) -> None:
        self.most_head = most_head
        self.most_body = most_body
        self._parser: HttpResponseParser | None = None
        self._refused: HTTPParseError | None = None  # what the parser is told of by an error hides behind its own
        self.begin(False)

    def begin(self, is_head: bool) -> None:
        """Wait for a new answer; to a HEAD request, which has no body whatever it announces."""
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        self._is_head = is_head
        self._begun = 0
        self._raw = b""
        self._body: list[bytes] | None = None
        self._size = 0
        self._idle_bytes = 0
        self.status = 0
        self.head: Head = heads.NONE
        self.body = b""
        self.is_complete = False
        self.is_reusable = False

    def feed(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            HTTPParseError: it is no answer of HTTP/1, or one that is refused: ambiguous in length, or too long.
        """
        if self.head is heads.NONE:
            self._raw = self._raw + data if self._raw else data
        size = self._size
        try:
            self._parser.feed_data(data)  # type: ignore[union-attr]
        except HttpParserError as error:
            if not self.is_complete:  # else it is what came after the answer, of which nothing is wanted
                self._parser = None
                raise self._refused or HTTPParseError(f"no valid HTTP answer: {error}") from None
            self.is_reusable = False
        if self.is_complete:
            self._finish()
        else:
            self._check_limits(len(data), self._size > size)

    def end(self) -> None:
        """Take in that the server has closed the connection: the end of an answer that announces no length.

        Raises:
            HTTPConnectionClosed: before the first byte.
            HTTPParseError: before the end.
        """
        if not self._raw and self.head is heads.NONE:
            raise HTTPConnectionClosed("connection closed before the answer began")
        if not self.status:
            raise HTTPParseError("connection closed before end of the headers")
        if self.status < LEAST_FINAL:
            raise HTTPParseError("connection closed after interim response")
        if self.head.has_length:
            raise HTTPParseError(f"connection closed in the middle of the body, {self._size} bytes of which had come")
        self.is_complete = True
        self.is_reusable = False
        self._finish()

    # --- Called by the parser ---

    def on_message_begin(self) -> None:
        """Note that one more message begins: beyond the answer, that is one that nobody has asked for."""
        self._begun += 1
        if self.is_complete:
            self.is_reusable = False

    def on_headers_complete(self) -> None:
        """Keep what only now can be asked of the parser.

        Raises:
            HTTPParseError: the parser would accept what must not be.
        """
        if self.is_complete:
            return
        parser = self._parser
        self.status = parser.get_status_code()  # type: ignore[union-attr]
        if self.status < LEAST_FINAL:
            if self.status < LEAST_INTERIM or self.status == SWITCHED:
                raise self._refuse(f"status {self.status}, which was not asked for")
            return
        self._cut_head()
        if self._is_head:
            self.is_complete = True
            # The parser would say no for want of a length, which an answer to HEAD need not have.
            self.is_reusable = self.head.raw.startswith(b"HTTP/1.1") and not self.head.closes
        else:
            self.is_reusable = parser.should_keep_alive()  # type: ignore[union-attr] # later it always says no

    def on_body(self, data: bytes) -> None:
        """Take in a part of the body."""
        if self.is_complete:  # what a server sends as the body of an answer to HEAD
            self.is_reusable = False
            return
        self._size += len(data)
        if self._body is None:
            if not self.body:
                self.body = data
            else:
                self._body = [self.body, data]
        else:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Note the end, unless it was an interim answer's."""
        if self.status >= LEAST_FINAL:
            self.is_complete = True

    # ---

    def _cut_head(self) -> None:
        """Keep the bytes of the head of the final answer, the `_begun`th of what came; lines before it may be empty."""
        raw = self._raw
        if self._begun > 1 or raw[0] in b"\r\n":
            raw = self._after_interim(raw)
        end = raw.find(END_OF_HEAD)
        found = raw[:end] if end >= 0 else raw
        self._raw = b""
        if len(found) > self.most_head:
            raise self._refuse(f"more than {self.most_head} bytes of headers")
        self.head = head_of(found)
        if self.head.refused:
            raise self._refuse(self.head.refused)

    def _after_interim(self, raw: bytes) -> bytes:
        raw = raw.lstrip(b"\r\n")
        for _ in range(self._begun - 1):
            raw = raw[raw.find(END_OF_HEAD) :].lstrip(b"\r\n")
        return raw

    def _refuse(self, why: str) -> HTTPParseError:
        self._refused = HTTPParseError(f"no valid HTTP answer: {why}")
        return self._refused

    def _finish(self) -> None:
        if self._body is not None:
            self.body = b"".join(self._body)
        if self._is_head:
            self._parser = None  # it still waits for a body
        if self._size > self.most_body:
            raise HTTPParseError(f"a body of more than {self.most_body} bytes")

    def _check_limits(self, came: int, has_grown: bool) -> None:
        self._idle_bytes = 0 if has_grown else self._idle_bytes + came
        if self._idle_bytes > self.most_head:
            raise HTTPParseError(f"more than {self.most_head} bytes of headers, or of trailers")
        if self._size > self.most_body:
            raise HTTPParseError(f"a body of more than {self.most_body} bytes")
