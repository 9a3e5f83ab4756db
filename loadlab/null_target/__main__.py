"""Runs a null target until it is told to end."""

from __future__ import annotations

import argparse
import os
import selectors
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from loadlab.null_target.answers import Answers
from loadlab.null_target.book import Book
from loadlab.null_target.connection import Connection

BACKLOG = 4096
TICK_S = 0.25
TURNS = 64  # of the loop, between two looks at the clock when it is busy
WORKERS_EACH = 2  # for one process


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve in as many processes as it takes; this one is the first, and the others end with it.

    Raises:
        OSError: the port is somebody else's.
    """
    parser = argparse.ArgumentParser(prog="python -m loadlab.null_target", description="Answers as another target did.")
    parser.add_argument("--address", default="127.0.0.1", help="where to listen")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True, metavar="URL", help="whose answers to give")
    parser.add_argument("--workers", type=int, default=1, help="how many processes will ask")
    options = parser.parse_args(arguments)
    count = max(1, min(os.cpu_count() or 1, -(-options.workers // WORKERS_EACH)))
    book = Book(count)
    listeners = [listen(options.address, options.port) for _ in range(count)]
    number, first = 0, os.getpid()
    for child in range(1, count):
        if os.fork() == 0:
            number = child
            break
    book.belong_to(number)
    for other in listeners[:number] + listeners[number + 1 :]:
        other.close()
    serve(listeners[number], Answers(urlsplit(options.target)), book, first)


def listen(address: str, port: int) -> socket.socket:
    """Return a socket that listens beside others of ours on one port: the kernel shares connections among them.

    Raises:
        OSError: the port is somebody else's.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((address, port))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def serve(listener: socket.socket, answers: Answers, book: Book, first: int) -> None:
    """Serve for as long as the process `first`, which may be this one, lives."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    turns = 0
    while True:
        ready = selector.select(TICK_S)
        for key, _ in ready:
            if key.data is not None:
                key.data.serve()
            elif (sock := _accept(listener)) is not None:
                Connection(sock, selector, answers, book)
        turns += 1
        if not ready or turns == TURNS:
            turns = 0
            book.tick()
            if first not in (os.getpid(), os.getppid()):
                return


def _accept(listener: socket.socket) -> socket.socket | None:
    try:
        sock, _ = listener.accept()
    except OSError:  # it has gone again, or there is no descriptor left
        return None
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


if __name__ == "__main__":
    main()
