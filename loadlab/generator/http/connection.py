"""One connection to one server: opened, used for one exchange after the other, closed."""

from __future__ import annotations

import socket as sockets
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from gevent import socket
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError

from loadlab.generator.http.addresses import addresses
from loadlab.generator.http.answer import Answer
from loadlab.generator.http.pipes import Pipe, PlainPipe, TlsPipe
from loadlab.generator.http.timeouts import watchman

# A connection that has been idle for so long is looked at before it is used: the server may have closed it. One that
# was used a moment ago is not: it would cost a system call of every request.
LOOK_AFTER_S = 0.01

HUNG_UP = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError)

clock = time.perf_counter


@dataclass(frozen=True)
class Limits:
    """`connect_s` is for a connection, `read_s` for each wait for more bytes, `total_s` for a whole answer."""

    connect_s: float = 60.0
    read_s: float = 60.0
    total_s: float = 600.0
    head_bytes: int = 256 * 1024
    body_bytes: int = 256 * 1024 * 1024

    @property
    def wait_s(self) -> float:
        """How long a wait may last at most."""
        return min(self.read_s, self.total_s)


@dataclass(frozen=True)
class Proxy:
    """Where requests are to be sent instead."""

    host: str
    port: int


class StaleError(Exception):
    """A connection that was used before was closed before the answer began; `cause` says how."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Connection:
    """`sent`, `first_byte` and `ended` are when the last exchange came so far, in s on the performance counter."""

    __slots__ = ("_limits", "_pipe", "answer", "ended", "first_byte", "sent", "used")

    def __init__(self, pipe: Pipe, limits: Limits) -> None:
        self._pipe = pipe
        self._limits = limits
        self.answer = Answer(limits.head_bytes, limits.body_bytes)
        self.used = 0
        self.sent = self.first_byte = self.ended = 0.0

    def is_usable(self, now: float) -> bool:
        """Tell whether it can carry another request."""
        return now - self.ended < LOOK_AFTER_S or self._pipe.is_quiet()

    def exchange(self, data: bytes, is_head: bool) -> Answer:
        """Send a whole request and wait for the whole answer, which is valid until the next exchange.

        Raises:
            StaleError: the connection was used before, and ended before the answer began.
            HTTPConnectionClosed: it was not, and ended so too.
            HTTPParseError: the answer is none, or is cut off.
            TimeoutError, OSError: of the network.
        """
        pipe, answer = self._pipe, self.answer
        answer.begin(is_head)
        self.used += 1
        is_sent = True
        try:
            pipe.send(data)
        except HUNG_UP:
            is_sent = False  # it may have said why before: an early 413 is an answer, the last one here
        self.sent = clock()
        try:
            came = pipe.receive(self.sent)
        except HUNG_UP:
            came = b""
        now = self.first_byte = clock()
        if not came:
            closed = HTTPConnectionClosed("connection closed before the answer began")
            raise StaleError(closed) if self.used > 1 else closed
        limits = self._limits
        until = self.sent + limits.total_s
        while True:
            if came:
                answer.feed(came)
            else:
                answer.end()
            if answer.is_complete:
                break
            if now > until:
                raise TimeoutError(f"timed out: the answer was not whole after {limits.total_s:g} s")
            came = pipe.receive(min(now, until - limits.wait_s))
            now = clock()
        if not is_sent:
            answer.is_reusable = False
        self.ended = clock()
        return answer

    def close(self) -> None:
        """Close it."""
        self._pipe.close()


def connect(  # noqa: PLR0917
    scheme: str, host: str, port: int, limits: Limits, context: Callable[[], ssl.SSLContext], proxy: Proxy | None = None
) -> Connection:
    """Open a connection.

    Raises:
        TimeoutError, ssl.SSLError, OSError: it could not be opened.
        HTTPParseError: the proxy's answer is none.
    """
    watchman.watch()
    connected = _dial(*((proxy.host, proxy.port) if proxy else (host, port)), limits)
    try:
        if scheme != "https":
            return Connection(PlainPipe(connected, limits.wait_s), limits)
        if proxy:
            _tunnel(connected, host, port)
        secured = context().wrap_socket(connected, server_hostname=host)
        return Connection(TlsPipe(secured, limits.wait_s), limits)
    except BaseException:
        connected.close()
        raise


def _dial(host: str, port: int, limits: Limits) -> socket.socket:
    first_error: OSError | None = None
    for family, kind, protocol, _, address in addresses.of(host, port):
        try:
            dialled = socket.socket(family, kind, protocol)
        except OSError as error:
            first_error = first_error or error
            continue
        try:
            dialled.settimeout(limits.connect_s)
            dialled.connect(address)
            dialled.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        except OSError as error:
            dialled.close()
            first_error = first_error or error
        except BaseException:
            dialled.close()
            raise
        else:
            return dialled
    raise first_error or OSError(f"{host}:{port} has no address")


def _tunnel(dialled: socket.socket, host: str, port: int) -> None:
    """Ask a proxy to connect through to the server."""
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    dialled.sendall(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    said = b""
    while b"\r\n\r\n" not in said:
        part = dialled.recv(1)  # not a byte beyond: what follows is TLS
        if not part or len(said) > 64 * 1024:
            raise HTTPParseError("the proxy closed the connection, or gave no answer to CONNECT")
        said += part
    status = said.split(None, 2)[1:2]
    if status != [b"200"]:
        raise HTTPParseError(f"the proxy refused CONNECT: {said.splitlines()[0].decode('latin-1')}")
