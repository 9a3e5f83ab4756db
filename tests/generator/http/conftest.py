"""Servers and users that end with the test."""

from __future__ import annotations

import shutil
import ssl as stdlib_ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

pytest.register_assert_rewrite("tests.generator.http.scripted", "tests.generator.http.people")

from gevent import ssl  # noqa: E402
from locust.contrib.fasthttp import FastHttpUser  # noqa: E402

from loadlab.generator.http import LeanHttpUser, timeouts, user  # noqa: E402
from tests.generator.http.people import Someone  # noqa: E402
from tests.generator.http.scripted import Answering, Reply, Server, in_turn  # noqa: E402


class Serve(Protocol):
    """Starts a server."""

    def __call__(self, answering: Answering | Reply | bytes, host: str = "127.0.0.1", tls: Any = None) -> Server:
        """Return it; it gives the same answer each time where that is all it is told."""


class Be(Protocol):
    """Makes a user."""

    def __call__(self, host: str, kind: type[FastHttpUser] = LeanHttpUser, **settings: Any) -> Someone:
        """Return it."""


@pytest.fixture(autouse=True)
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that last too long are looked for more often than in a run: there is less to wait for here."""
    monkeypatch.setattr(timeouts, "LOOK_EVERY_S", 0.02)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return what starts servers."""
    servers: list[Server] = []

    def start(answering: Answering | Reply | bytes, host: str = "127.0.0.1", tls: Any = None) -> Server:
        servers.append(Server(answering if callable(answering) else in_turn(answering), host, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def be() -> Iterator[Be]:
    """Return what makes users."""
    people: list[Someone] = []

    def make(host: str, kind: type[FastHttpUser] = LeanHttpUser, **settings: Any) -> Someone:
        people.append(Someone(host, kind, **settings))
        return people[-1]

    yield make
    for someone in people:
        someone.leave()


@dataclass
class Tls:
    """A server's side of TLS: its certificate is its own, for localhost; `names` are those that were asked for."""

    context: Any
    certificate: Path
    names: list[str | None]


@pytest.fixture(scope="session")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with its key, in one file."""
    binary = shutil.which("openssl")
    assert binary, "openssl is not installed (Debian: apt install openssl)"
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *(binary, "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "certificate.pem"


@pytest.fixture
def tls(_certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Tls:
    """What a server needs to speak TLS; in this process, ssl is patched for it as Locust does when it starts."""
    monkeypatch.setattr(stdlib_ssl, "SSLContext", ssl.SSLContext)
    monkeypatch.setattr(user, "_contexts", {})
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate, _certificate.with_name("key.pem"))
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    return Tls(context, _certificate, names)
