"""One connection of a client to the null target."""

from __future__ import annotations

import selectors
import socket

from loadlab.null_target.answers import Answers
from loadlab.null_target.book import Book
from loadlab.null_target.request import BadRequestError, Request, parse, waits_to_continue

CHUNK = 1 << 16
METRICS = "/metrics"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Connection:
    """Answers what comes on one socket, which does not block."""

    def __init__(self, sock: socket.socket, selector: selectors.BaseSelector, answers: Answers, book: Book) -> None:
        self._socket = sock
        self._selector = selector
        self._answers = answers
        self._known = answers.known
        self._book = book
        self._held = b""
        self._unsent = b""
        self._is_last = False
        self._is_told_to_continue = False
        selector.register(sock, selectors.EVENT_READ, self)

    def serve(self) -> None:
        """Answer what has come, or go on with an answer that did not go out at once."""
        if self._unsent:
            self._send(b"")
            return
        try:
            data = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close()
            return
        answer = None if self._held else self._known.get(data)
        if answer is None:
            self._held += data
            self._serve_held()
        else:  # nearly always: the same bytes again
            self._book.own[answer.slot] += 1
            self._send(answer.content)

    def _serve_held(self) -> None:
        """Answer each request that is all here."""
        try:
            while self._held and not self._is_last:
                request = parse(self._held)
                if request is None:
                    self._tell_to_continue()
                    return
                self._held = self._held[len(request.data) :]
                self._is_told_to_continue, self._is_last = False, request.is_last
                self._send(self._answer(request))
        except BadRequestError:
            self._is_last = True
            self._send(BAD_REQUEST)

    def _tell_to_continue(self) -> None:
        if not self._is_told_to_continue and waits_to_continue(self._held):
            self._is_told_to_continue = True
            self._send(CONTINUE)

    def _answer(self, request: Request) -> bytes:
        if (request.method, request.path) == ("GET", METRICS):
            page = self._book.page()
            return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)
        answer = self._answers.find(request)
        self._book.own[answer.slot] += 1
        return answer.content

    def _send(self, data: bytes) -> None:
        """Send what the kernel takes now; while there is a rest, nothing more is read."""
        had_rest = bool(self._unsent)
        data = self._unsent + data if had_rest else data
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close()
            return
        has_rest = sent < len(data)
        if has_rest or had_rest:
            self._unsent = data[sent:]
        if has_rest != had_rest:
            self._selector.modify(self._socket, selectors.EVENT_WRITE if has_rest else selectors.EVENT_READ, self)
        if self._is_last and not has_rest:
            self._close()

    def _close(self) -> None:
        if self._socket.fileno() >= 0:
            self._selector.unregister(self._socket)
            self._socket.close()
        self._held = self._unsent = b""
