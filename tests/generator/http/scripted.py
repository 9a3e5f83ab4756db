"""Servers that answer exactly as a test says, byte for byte, and note what they were asked."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

import gevent
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer

END = b"\r\n\r\n"
WITHOUT_A_WORD = struct.pack("ii", 1, 0)  # SO_LINGER: a reset is sent, not an end


class Then(Enum):
    """What becomes of a connection after an answer; TLS ends with its own farewell only where it is shut."""

    KEEP = "kept"
    CLOSE = "closed"
    RESET = "reset"
    SHUT = "shut"


@dataclass(frozen=True)
class Reply:
    """Bytes to be sent: in pieces of `step` bytes, or at once, with pauses; and what becomes of the connection then."""

    data: bytes = b""
    then: Then = Then.KEEP
    step: int = 0
    pause_s: float = 0.0
    wait_s: float = 0.0


@dataclass(frozen=True)
class Asked:
    """A request as it came; `chunks` are those of its body, None where it had a length or no body."""

    head: bytes
    body: bytes
    chunks: tuple[bytes, ...] | None

    @property
    def method(self) -> str:
        """Return the first word of it."""
        return self.head.split(b" ", 1)[0].decode("latin-1")

    @property
    def target(self) -> str:
        """Return what was asked for, as it was written."""
        return self.head.partition(b"\r\n")[0].split(b" ", 2)[1].decode("latin-1")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Return the headers in their order, names in lower case."""
        lines = [line.partition(": ") for line in self.head.decode("latin-1").split("\r\n")[1:]]
        return [(name.lower(), value) for name, _, value in lines]

    def header(self, name: str) -> str | None:
        """Return the value of a header that came once, None where it did not come."""
        values = [value for known, value in self.headers if known == name.lower()]
        assert len(values) < 2, f"{name} came more than once: {values}"
        return values[0] if values else None


Answering = Callable[[Asked], Reply | bytes]


def answer(start: bytes, *lines: bytes, content: bytes = b"") -> bytes:
    """Return the bytes of an answer, with a header by which it is known again."""
    return b"".join(line + b"\r\n" for line in (start, b"X-Mark: here", *lines)) + b"\r\n" + content


def ok(content: bytes = b"hello", *lines: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a plain answer with a length."""
    return answer(b"HTTP/1.1 " + status, *lines, b"Content-Length: %d" % len(content), content=content)


def chunked(body: bytes, *lines: bytes) -> bytes:
    """Return an answer in chunks, which are given as they are sent."""
    return answer(b"HTTP/1.1 200 OK", *lines, b"Transfer-Encoding: chunked", content=body)


def in_turn(*replies: Reply | bytes) -> Answering:
    """Answer each request with the next of these, and all others with the last one."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


class Server:
    """Reads whole requests and answers them, on as many connections as there are."""

    def __init__(self, answering: Answering, host: str = "127.0.0.1", tls: Any = None) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self._answering = answering
        self._tls = tls
        self._server = StreamServer((host, 0), self._serve, spawn=Pool())
        self._server.start()
        self.port: int = self._server.server_port
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{shown}:{self.port}"

    def at(self, host: str) -> str:
        """Return its URL by another name of it."""
        return f"{self.url.partition(':')[0]}://{host}:{self.port}"

    def is_left(self) -> bool:
        """Wait a while for all its connections to be closed, and tell whether they are."""
        for _ in range(1000):
            if not self.open:
                return True
            gevent.sleep(0.001)
        return False

    def stop(self) -> None:
        """Listen no more; what is under way is cut off."""
        self._server.stop(timeout=0)

    def _serve(self, connection: Any, _address: Any) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            with suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self.converse(connection)
        finally:
            self.open -= 1
            connection.close()

    def converse(self, connection: Any) -> None:
        """Answer what is asked on a connection, until it ends."""
        reader = Reader(connection)
        while (asked := reader.request()) is not None:
            self.asked.append(asked)
            reply = self._answering(asked)
            if isinstance(reply, bytes):
                reply = Reply(reply)
            send(connection, reply)
            if reply.then is Then.SHUT:
                with gevent.Timeout(0.05, False):  # the other side need not bid farewell too
                    connection.unwrap()
            if reply.then is Then.RESET:
                gevent.sleep(0.005)  # what was sent is to be read before it is lost
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, WITHOUT_A_WORD)
            if reply.then is not Then.KEEP:
                return


def send(connection: Any, reply: Reply) -> None:
    """Send the bytes of a reply."""
    gevent.sleep(reply.wait_s)
    step = reply.step or len(reply.data) or 1
    for at in range(0, len(reply.data), step):
        connection.sendall(reply.data[at : at + step])
        if reply.step:
            gevent.sleep(reply.pause_s)


class Reader:
    """Reads requests from a connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._rest = b""

    def request(self) -> Asked | None:
        """Return the next one; None when the connection ends before it is whole."""
        head = self._to(END)
        if head is None:
            return None
        asked = Asked(head, b"", None)
        if asked.header("transfer-encoding") == "chunked":
            assert asked.header("content-length") is None
            chunks = self._chunks()
            return None if chunks is None else Asked(head, b"".join(chunks), tuple(chunks))
        body = self._exactly(int(asked.header("content-length") or 0))
        return None if body is None else Asked(head, body, None)

    def _chunks(self) -> list[bytes] | None:
        chunks: list[bytes] = []
        while (line := self._to(b"\r\n")) is not None:
            chunk = self._exactly(int(line, 16))
            if chunk is None or self._to(b"\r\n") is None:
                return None
            if not chunk:
                return chunks
            chunks.append(chunk)
        return None

    def _to(self, mark: bytes) -> bytes | None:
        while mark not in self._rest:
            if not self._more():
                return None
        found, _, self._rest = self._rest.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes | None:
        while len(self._rest) < size:
            if not self._more():
                return None
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def _more(self) -> bool:
        came: bytes = self._connection.recv(65536)
        self._rest += came
        return bool(came)
