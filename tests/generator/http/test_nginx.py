"""LeanHttpUser against nginx, which was written by others."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from geventhttpclient.response import HTTPConnectionClosed
from geventhttpclient.useragent import RetriesExceeded

from tests.generator.http.conftest import Be, Tls
from tests.generator.http.people import SEEN_AGAIN_S
from tests.rig.rigs import free_ports

pytestmark = pytest.mark.stack
INSTALL = "apt-get install -y --no-install-recommends nginx-light"
CONFIG = Path(__file__).with_name("nginx.conf.in")
TEXT = b"".join(b"%d: what is to be said\n" % number for number in range(5000))
START_S = 10.0


class Nginx:
    """One that runs; what it has counted is in `hits`: method, target, status and the connection's number."""

    def __init__(self, folder: Path, certificate: Path) -> None:
        binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if binary is None:
            message = f"no nginx on this machine: {INSTALL}"
            if "nginx" in os.environ.get("LAB_REQUIRE", "").split(","):
                pytest.fail(message)
            pytest.skip(message)
        self._folder = folder
        self._hits = folder / "hits.log"
        first = free_ports(2)
        self.url, self.secure_url = f"http://127.0.0.1:{first}", f"https://127.0.0.1:{first + 1}"
        self.v6_url = f"http://[::1]:{first}"
        (folder / "files").mkdir()
        (folder / "files" / "text").write_bytes(TEXT)
        names = {
            "FOLDER": folder,
            "PORT": first,
            "TLS": first + 1,
            "CERTIFICATE": certificate,
            "KEY": certificate.with_name("key.pem"),
        }
        text = CONFIG.read_text()
        for name, value in names.items():
            text = text.replace(f"@{name}@", str(value))
        (folder / "nginx.conf").write_text(text)
        self._log = (folder / "nginx.log").open("wb")
        command = [binary, "-p", str(folder), "-c", str(folder / "nginx.conf")]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def wait_until_there(self, be: Be) -> None:
        """Return once it answers."""
        deadline = time.monotonic() + START_S
        while be(self.url).client.get("/plain").status_code != 200:
            assert self._process.poll() is None, (self._folder / "nginx.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def hits(self) -> list[list[str]]:
        """Return what was asked since it was asked last."""
        gevent.sleep(0.01)  # a request is noted when all of it was sent
        lines = self._hits.read_text().splitlines()
        self._hits.write_text("")
        os.truncate(self._hits, 0)
        return [line.split() for line in lines]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)
        self._log.close()


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory, _certificate: Path) -> Iterator[Nginx]:
    """One nginx for all tests."""
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), _certificate)
    yield nginx
    nginx.stop()


@pytest.fixture
def nginx(_running: Nginx, be: Be) -> Nginx:
    """It, with nothing counted."""
    _running.wait_until_there(be)
    _running.hits()
    return _running


def test_a_connection_is_kept(nginx: Nginx, be: Be) -> None:
    """For all methods, statuses and kinds of content."""
    someone = be(nginx.url)
    asked: list[tuple[str, str, Any]] = [
        *(
            ("GET", "/plain", None),
            ("POST", "/asked", "x" * 1000),
            ("HEAD", "/files/text", None),
            ("GET", "/files/text", None),
        ),
        *(
            ("GET", "/packed/text", None),
            ("DELETE", "/nothing", None),
            ("GET", "/missing", None),
            ("PUT", "/asked", b""),
        ),
        *(
            ("HEAD", "/missing", None),
            ("GET", "/error", None),
            ("HEAD", "/packed/text", None),
            ("PATCH", "/asked", {"a": "b"}),
        ),
    ]
    for method, target, data in asked:
        someone.client.request(method, target, data=data)
    hits = nginx.hits()
    statuses = [200, 200, 200, 200, 200, 204, 404, 200, 404, 503, 200, 200]
    assert [hit[:3] for hit in hits] == [
        [method, target, str(status)] for (method, target, _), status in zip(asked, statuses, strict=True)
    ]
    assert [told["response"].status_code for told in someone.told] == statuses
    assert len({hit[3] for hit in hits}) == 1
    assert [told["exception"] is None for told in someone.told] == [status < 300 for status in statuses]


def test_what_is_sent_is_understood(nginx: Nginx, be: Be) -> None:
    """Bodies of a length and in chunks."""
    client = be(nginx.url).client
    headers = {"X-A": "b"}
    assert client.post("/asked", json={"a": 1}, headers=headers).content == b"POST application/json 8 b"
    assert (
        client.put("/asked", data=(part for part in (b"one", b"two")), headers=headers).content
        == b"PUT application/octet-stream 0 b"
    )
    assert client.post("/asked", data={"a": "b"}).content == b"POST application/x-www-form-urlencoded; charset=utf-8 3 "
    assert client.post("/asked", data=b"x" * 900_000).content == b"POST application/octet-stream 900000 "
    assert len({hit[3] for hit in nginx.hits()}) == 1


def test_content_is_whole(nginx: Nginx, be: Be) -> None:
    """By length, in chunks and packed, in part, and where nothing has changed."""
    client = be(nginx.url).client
    plain, packed = client.get("/files/text"), client.get("/packed/text")
    assert (plain.content, plain.headers["Content-Length"]) == (TEXT, str(len(TEXT)))
    assert (packed.content, packed.headers["Content-Encoding"], packed.headers["Transfer-Encoding"]) == (
        TEXT,
        "gzip",
        "chunked",
    )
    head = client.head("/files/text")
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(TEXT)))
    part = client.get("/files/text", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, TEXT[10:20])
    same = client.get("/files/text", headers={"If-None-Match": plain.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert client.get("/proxied").content == b"hello"
    assert len({hit[3] for hit in nginx.hits() if hit[1] != "/plain"}) == 1


def test_redirects_are_followed(nginx: Nginx, be: Be) -> None:
    """Absolute and relative ones; a loop has an end."""
    someone = be(nginx.url, max_redirects=3)
    assert someone.client.get("/old").content == b"hello"
    older = someone.client.post("/older", data="x")
    assert (older.content, older.url, [one.status_code for one in older.history]) == (
        b"hello",
        f"{nginx.url}/plain",
        [302, 301],
    )
    assert someone.client.post("/moved", data="xyz").content == b"POST text/plain; charset=utf-8 3 "
    someone.client.get("/round")
    assert type(someone.last["exception"]) is RetriesExceeded
    assert [hit[1] for hit in nginx.hits()] == [
        "/old",
        "/plain",
        "/older",
        "/old",
        "/plain",
        "/moved",
        "/asked",
        *["/round"] * 4,
    ]
    assert len(someone.told) == 4


def test_cookies_are_sent_back(nginx: Nginx, be: Be) -> None:
    """As set."""
    client = be(nginx.url).client
    assert [client.get(target).content for target in ("/cookie", "/set", "/cookie")] == [b"", b"set", b"a=1"]


def test_a_connection_that_is_to_be_closed_is(nginx: Nginx, be: Be) -> None:
    """After each answer, or after some; nothing fails and nothing is sent twice."""
    someone = be(nginx.url)
    for target in ("/close", "/three"):
        for _ in range(7):
            someone.client.post(target, data="x")
        hits = nginx.hits()
        assert (len(hits), len({hit[3] for hit in hits})) == (7, {"/close": 7, "/three": 3}[target])
    assert {told["exception"] for told in someone.told} == {None}
    assert [told["response"].reconnects for told in someone.told] == [0] * 14


def test_a_connection_that_was_closed_while_idle_is_not_used(nginx: Nginx, be: Be) -> None:
    """It is looked at, and a new one is made: one hit a request."""
    someone = be(nginx.url)
    for _ in range(3):
        assert someone.client.post("/brief", data="x").content == b"hello"
        gevent.sleep(0.12)
    hits = nginx.hits()
    assert (len(hits), len({hit[3] for hit in hits})) == (3, 3)
    assert [told["response"].reconnects for told in someone.told] == [0, 1, 1]


@pytest.mark.parametrize("size", [101, 100_000, 10_000_000])
def test_a_body_that_is_too_long_is_answered(nginx: Nginx, be: Be, size: int) -> None:
    """413 is the answer, though it comes before all was sent; the next request has a connection of its own."""
    someone = be(nginx.url)
    for _ in range(2):
        response = someone.client.post("/small", data=b"x" * size)
        assert (response.status_code, "413" in response.text) == (413, True)
    assert someone.client.post("/small", data=b"x" * 100).content == b"hello"
    hits = nginx.hits()
    assert (sorted(hit[2] for hit in hits), len({hit[3] for hit in hits})) == (["200", "413", "413"], 3)


def test_no_answer_is_a_failure(nginx: Nginx, be: Be) -> None:
    """With one hit, or with a second one where it may be, on a connection that was used before."""
    someone = be(nginx.url)
    someone.client.get("/drop")
    someone.client.post("/drop", data="x")
    assert [type(told["exception"]) for told in someone.told] == [HTTPConnectionClosed] * 2
    assert len(nginx.hits()) == 2
    someone.client.get("/plain")
    someone.client.get("/drop")
    someone.client.get("/plain")
    someone.client.post("/drop", data="x")
    assert [hit[1] for hit in nginx.hits()] == ["/plain", "/drop", "/drop", "/plain", "/drop"]
    assert [told["exception"] is None for told in someone.told[2:]] == [True, False, True, False]


def test_a_gateway_without_its_server(nginx: Nginx, be: Be) -> None:
    """Is a bad status."""
    someone = be(nginx.url)
    assert someone.client.get("/gone").status_code == 502


def test_bad_requests_are_answered(nginx: Nginx, be: Be) -> None:
    """A head that is too long for nginx gets its 414 or 400."""
    client = be(nginx.url).client
    assert client.get("/" + "a" * 50_000).status_code == 414
    assert client.get("/plain", headers={"X-A": "b" * 50_000}).status_code == 400
    assert client.get("/plain").content == b"hello"


def test_tls_and_ipv6(nginx: Nginx, be: Be, tls: Tls) -> None:
    """Kept as well."""
    assert tls.context
    for url in (nginx.secure_url, nginx.v6_url):
        client = be(url).client
        for _ in range(3):
            assert client.get("/packed/text").content == TEXT
            gevent.sleep(SEEN_AGAIN_S)
            assert client.post("/asked", data="x").content == b"POST text/plain; charset=utf-8 1 "
        hits = nginx.hits()
        assert (len(hits), len({hit[3] for hit in hits})) == (6, 1)


def test_several_at_a_time(nginx: Nginx, be: Be) -> None:
    """A hundred requests by ten users: a hundred hits, ten connections."""
    people = [be(nginx.url) for _ in range(10)]
    gevent.joinall(
        [gevent.spawn(lambda one=one: [one.client.get("/packed/text") for _ in range(10)]) for one in people],
        timeout=10,
    )
    assert {(told["exception"], told["response_length"]) for one in people for told in one.told} == {(None, len(TEXT))}
    hits = nginx.hits()
    assert (len(hits), len({hit[3] for hit in hits})) == (100, 10)
