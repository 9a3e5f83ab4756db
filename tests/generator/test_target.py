"""What the target says of itself: whose pages are understood, and that no page, however odd, does any harm."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadlab.analysis.recording import TargetSecond
from loadlab.generator import target
from loadlab.generator.target import Page, Target, read
from loadlab.rig.settings import ROOT

OURS = """\
# HELP python_gc_objects_collected_total Objects collected during gc
# TYPE python_gc_objects_collected_total counter
python_gc_objects_collected_total{generation="0"} 175.0
process_resident_memory_bytes 1.0
process_cpu_seconds_total 0.15
# HELP api_requests_total Requests answered.
# TYPE api_requests_total counter
api_requests_total{method="GET",route="/tests",status="200"} 40.0
api_requests_total{method="GET",route="/tests",status="503"} 2.0
api_requests_total{method="POST",route="/tests",status="204"} 7.0
api_requests_total{method="GET",route="/tests/{id}",status="404"} 1.0
# TYPE api_requests_created gauge
api_requests_created{method="GET",route="/tests",status="200"} 1.7953980061e+09
# TYPE api_request_duration_seconds histogram
api_request_duration_seconds_bucket{le="0.0005",method="GET",route="/tests",status="200"} 3.0
api_request_duration_seconds_count{method="GET",route="/tests",status="200"} 40.0
api_request_duration_seconds_sum{method="GET",route="/tests",status="200"} 0.5
api_requests_in_flight 3.0
api_requests_refused_total 9.0
api_items_written_total 7.0
container_cpu_seconds_total 12.5
container_cpu_periods_total 100.0
container_cpu_throttled_periods_total 4.0
container_cpu_throttled_seconds_total 1.5
container_cpu_limit_cores 0.5
container_memory_bytes 5e+07
container_memory_limit_bytes 2.68435456e+08
container_oom_events_total 1.0
api_store_failures_total 3.0
api_request_slots 24.0
api_worker_cpu_seconds_total{worker="41"} 7.5
api_worker_cpu_seconds_total{worker="42"} 5.0
api_listen_backlog 5.0
api_listen_backlog_limit 64.0
process_open_fds 61.0
process_max_fds 65536.0
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{mode="user"} 100.5
node_cpu_seconds_total{mode="idle"} 200.25
node_cpu_seconds_total{mode="iowait"} 4.0
node_cpu_seconds_total{mode="steal"} 8.0
machine_cpu_cores 2.0
node_boot_time_seconds 1.5e+09
node_netstat_TcpExt_ListenOverflows 6.0
"""
HAPROXY = """\
# TYPE haproxy_backend_current_queue gauge
haproxy_backend_current_queue{proxy="api"} 7
haproxy_backend_current_queue{proxy="other"} 2
# TYPE haproxy_backend_http_requests_total counter
haproxy_backend_http_requests_total{proxy="api"} 912
"""
EXPORTER = """\
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} 10.5
node_cpu_seconds_total{cpu="1",mode="idle"} 20.25
node_cpu_seconds_total{cpu="0",mode="user"} 7
node_cpu_seconds_total{cpu="1",mode="steal"} 0.5
node_netstat_TcpExt_ListenOverflows 3
"""
CADVISOR = """\
# TYPE container_cpu_cfs_periods_total counter
container_cpu_cfs_periods_total{id="/docker/1",name="api"} 600 1395066363000
# TYPE container_cpu_cfs_throttled_periods_total counter
container_cpu_cfs_throttled_periods_total{id="/docker/1",name="api"} 30 1395066363000
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{cpu="cpu00",id="/docker/1",name="api"} 10.5 1395066363000
container_cpu_usage_seconds_total{cpu="cpu01",id="/docker/1",name="api"} 4.25 1395066363000
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{id="/docker/1",name="api"} 6.5e+07 1395066363000
# TYPE container_spec_memory_limit_bytes gauge
container_spec_memory_limit_bytes{id="/docker/1",name="api"} 0 1395066363000
process_cpu_seconds_total 999
process_resident_memory_bytes 999
"""
OTHERS = """\
# TYPE http_requests counter
http_requests{method="GET",path="/a",code="200"} 5
http_requests{method="GET",path="/a",code="500"} 1
http_requests_inprogress{method="GET"} 1
http_requests_inprogress{method="POST"} 2
process_cpu_seconds_total 3.5
process_resident_memory_bytes 1e6
"""


def test_our_own_api_is_understood() -> None:
    """Requests by method and route over all statuses, and every figure of the container before the process's own."""
    assert read("one", OURS) == TargetSecond(
        "one",
        {"GET /tests": 42, "POST /tests": 7, "GET /tests/{id}": 1},
        in_flight=3.0,
        cpu_s=12.5,
        cpu_limit=0.5,
        periods=100,
        throttled=4,
        memory_bytes=5e7,
        memory_limit_bytes=268435456.0,
        oom_kills=1,
        busy_s=0.5,
        slots=24,
        refused=9,
        store_failures=3,
        workers_cpu_s={"41": 7.5, "42": 5.0},
        backlog=5,
        backlog_limit=64,
        overflows=6,
        files=61,
        files_limit=65536,
        machine_cores=2,
        machine_idle_s=204.25,
        machine_stolen_s=8.0,
        is_here=False,
    )


def test_an_instance_on_this_machine_is_known_by_its_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within what setting the clock moves it by; its CPU time is recorded already. Who does not tell may be there."""
    monkeypatch.setattr(target, "psutil", SimpleNamespace(boot_time=lambda: 1.5e9 + 1))
    here = read("one", OURS, "api-7")
    assert (here.is_here, here.machine_idle_s, here.machine_stolen_s, here.name) == (True, None, None, "api-7")
    assert read("one", OTHERS).is_here is None


def test_a_load_balancer_tells_what_queues_in_it() -> None:
    """HAProxy's own page: of all its backends together."""
    assert read("lb", HAPROXY) == TargetSecond("lb", queue=9.0)


def test_a_node_exporter_tells_of_the_machine() -> None:
    """Core by core, under the names that the API uses too."""
    assert read("node", EXPORTER) == TargetSecond("node", overflows=3, machine_idle_s=30.75, machine_stolen_s=0.5)


def test_cadvisor_is_understood() -> None:
    """CPU summed over the cores; a memory limit of 0 is none; no requests are told."""
    assert read("one", CADVISOR) == TargetSecond(
        "one", None, cpu_s=14.75, periods=600, throttled=30, memory_bytes=6.5e7
    )


def test_a_page_of_another_client_library_is_understood() -> None:
    """Counters without the suffix, another label for the route, only the process's own figures."""
    assert read("one", OTHERS) == TargetSecond("one", {"GET /a": 6}, in_flight=3.0, cpu_s=3.5, memory_bytes=1e6)


@pytest.mark.parametrize("label", target.ROUTE_LABELS)
def test_a_route_goes_by_many_names(label: str) -> None:
    """Each of the labels in use; one of the method alone tells no route."""
    page = f'x_requests_total{{method="GET",{label}="/a"}} 4\nx_requests_total{{method="PUT"}} 9\n'
    assert read("one", page).requests == {"GET /a": 4}


def test_every_field_can_be_told() -> None:
    """Each field of a target's second is found by a name, or is one of those that are made of several samples."""
    made = {"instance", "requests", "name", "workers_cpu_s", "machine_idle_s", "machine_stolen_s", "is_here"}
    assert {field.name for field in fields(TargetSecond)} == {*made, *target.NAMES}
    assert all(getattr(read("one", OURS + HAPROXY, "x"), name) is not None for name in {*made, *target.NAMES})


PAGE_BITS = st.sampled_from(
    [*'ab{}"=, \\\n#1\té', "TYPE", "counter", "_total", "method", "route", "NaN", "+Inf", "requests_total", "-", "{ ="]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PAGE_BITS, max_size=25).map("".join))
def test_whatever_is_read_it_is_a_page_or_not(text: str) -> None:
    """Text of any kind is read, or is refused in a way that the asker expects."""
    with contextlib.suppress(ValueError, IndexError, OverflowError):
        assert read("one", text) != TargetSecond("one")


@pytest.mark.parametrize(
    "text", ["", "ok 1\n", "# EOF\n", "<p>Not here</p>", '{"status": "up"}', "a_requests_total 4\n", "requests\n"]
)
def test_a_page_that_tells_nothing_is_none(text: str) -> None:
    """Of a page of another kind no second is made, which would only look as if the target were watched."""
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words, if any
        read("one", text)


Body = bytes | Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """A target of the test's own: it answers /metrics with what it is given, and keeps what it was asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, body: Body) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = body
        self.asked: list[tuple[str, str | None]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def host(self) -> str:
        """Return the URL, without a path."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def instance(self) -> str:
        """Return how it is told from others."""
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, self.headers["Host"]))
        if callable(server.body):
            server.body(self)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(server.body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(server.body)

    def log_message(self, *_: Any) -> None:
        pass


Serve = Callable[[Body], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that starts a server."""
    servers: list[Server] = []

    def start(body: Body) -> Server:
        servers.append(Server(body))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_page_is_asked_of_the_targets_address(serve: Serve) -> None:
    """At /metrics, whatever the path of the target's URL, under the name that the users ask for too."""
    server = serve(OURS.encode())
    port = server.server_address[1]
    (second,) = Target(f"http://localhost:{port}/api/v1").look()
    assert second == read(server.instance, OURS)
    assert server.asked == [("/metrics", f"localhost:{port}")]


def test_all_addresses_of_a_name_are_asked(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each replica once a look; the name is asked again only after some seconds, and then anew."""
    server = serve(OURS.encode())
    now = [100.0]
    monkeypatch.setattr(target, "time", SimpleNamespace(monotonic=lambda: now[0]))
    names: list[tuple[str, int]] = []
    addresses = ["127.0.0.1", "127.0.0.1", "127.0.0.2"]

    def resolve(name: str, port: int, **_: Any) -> list[Any]:
        names.append((name, port))
        return [(2, 1, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = server.server_address[1]
    pages = target._pages(f"http://api:{port}")
    assert [page.url for page in pages] == [f"http://127.0.0.{n}:{port}/metrics" for n in (1, 2)]
    watched = Target(f"http://api:{port}")
    asked: list[str] = []
    monkeypatch.setattr(target, "_ask", lambda page: asked.append(page.instance))
    watched.look()
    now[0] += target.RESOLVE_EVERY_S
    watched.look()
    assert names == [("api", port)] * 2
    assert sorted(asked) == [f"127.0.0.1:{port}"] * 2 + [f"127.0.0.2:{port}"] * 2
    now[0] += 0.1
    addresses[:] = ["127.0.0.9"]
    asked.clear()
    watched.look()
    assert asked == [f"127.0.0.9:{port}"]


def told_by(watched: Target, seconds: float = 1.0) -> list[TargetSecond]:
    """Ask once, and return what was told within so many seconds."""
    told: list[TargetSecond] = []
    watched.ask(told.append)
    deadline = time.monotonic() + seconds
    while not told and time.monotonic() < deadline:
        gevent.sleep(0.01)
    return told


def test_asking_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that owes an answer is not asked again, the others are; what comes late is told when it comes."""
    answers: dict[str, TargetSecond] = {}
    asked: list[str] = []

    def ask(page: Page, within_s: float) -> TargetSecond | None:
        asked.append(page.url)
        with gevent.Timeout(within_s, False):
            while page.url not in answers:
                gevent.sleep(0.005)
            return answers.pop(page.url)
        return None

    monkeypatch.setattr(target, "_ask", ask)
    watched = Target("", "http://a,http://b")
    told: list[TargetSecond] = []
    slow, quick = TargetSecond("a", in_flight=1), TargetSecond("b", in_flight=2)
    watched.ask(told.append)
    answers["http://b"] = quick
    gevent.sleep(0.05)
    assert told == [quick]
    watched.ask(told.append)
    answers["http://a"] = slow
    gevent.sleep(0.05)
    assert told == [quick, slow]
    assert asked == ["http://a", "http://b", "http://b"]
    assert target.PATIENT_S > target.ANSWER_S


def test_who_never_told_anything_is_silent(serve: Serve) -> None:
    """After some questions; who told once is asked on, whatever it says now."""
    nobody, somebody = Target("", "http://127.0.0.1:1/metrics"), Target("", serve(OTHERS.encode()).host)
    for number in range(target.LOOKS_IN_VAIN):
        assert (nobody.is_silent, somebody.is_silent) == (False, False), number
        assert told_by(nobody, 0.2) == []
        assert len(told_by(somebody)) == 1
    assert (nobody.is_silent, somebody.is_silent) == (True, False)
    assert Target("").look() == []


@pytest.mark.parametrize(
    ("host", "urls"),
    [
        ("https://shop.example/api", ["https://shop.example/metrics"]),
        ("https://shop.example:8443", ["https://shop.example:8443/metrics"]),
        ("http://[::1]:5000", ["http://[::1]:5000/metrics"]),
        ("http://127.0.0.1", ["http://127.0.0.1:80/metrics"]),
    ],
)
def test_where_a_target_has_its_page(host: str, urls: list[str]) -> None:
    """Under its name where a certificate is for the name, at each address elsewhere, at the usual ports."""
    assert [page.url for page in target._pages(host)] == urls


@pytest.mark.parametrize(
    "host", ["", "http://", "api", "http://x:99999", "http://x:y", "http://[::1", "http://nosuch.invalid"]
)
def test_a_host_that_is_none_has_no_page(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that cannot be read, and a name that is not known, are no error: there is nothing to ask."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert Target(host).look() == []


def test_pages_that_were_given_are_the_only_ones(serve: Serve) -> None:
    """A list, with spaces and a comma too many: each of them at its own path, and not the target's."""
    own, one, other = serve(OURS.encode()), serve(OTHERS.encode()), serve(CADVISOR.encode())
    seconds = Target(own.host, f" {one.host}/a/metrics , {other.host}/b,").look()
    assert {second.instance: second for second in seconds} == {
        one.instance: read(one.instance, OTHERS),
        other.instance: read(other.instance, CADVISOR),
    }
    assert ([path for path, _ in one.asked], [path for path, _ in other.asked]) == (["/a/metrics"], ["/b"])
    assert own.asked == []


def test_a_page_may_be_asked_at_each_address_of_its_name(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dns+` is for replicas behind a load balancer, which the target's own name leads to: new ones are found."""
    balancer, one, other = serve(OURS.encode()), serve(OURS.encode()), serve(OTHERS.encode())
    port = one.server_address[1]
    now = [100.0]
    monkeypatch.setattr(target, "time", SimpleNamespace(monotonic=lambda: now[0]))
    addresses = ["127.0.0.1"]

    def resolve(name: str, asked_port: int, **_: Any) -> list[Any]:
        assert (name, asked_port) == ("api", port)
        return [(2, 1, 6, "", (address, asked_port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    asked: list[Page] = []
    monkeypatch.setattr(target, "_ask", asked.append)
    watched = Target(balancer.host, f"dns+http://api:{port}/a/metrics?b=1, {other.host}/own")
    watched.look()
    own = Page(f"{other.host}/own")
    assert asked == [own, Page(f"http://127.0.0.1:{port}/a/metrics?b=1", f"api:{port}")]
    addresses.append("127.0.0.2")
    asked.clear()
    now[0] += target.RESOLVE_EVERY_S + 0.1
    watched.look()
    assert asked == [own, *(Page(f"http://127.0.0.{n}:{port}/a/metrics?b=1", f"api:{port}") for n in (1, 2))]
    assert balancer.asked == []


def _status(code: int) -> Body:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.end_headers()
        handler.wfile.write(OURS.encode())

    return answer


def _raw(data: bytes) -> Body:
    return lambda handler: handler.wfile.write(data)  # type: ignore[return-value]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(_status(404), id="404"),
        pytest.param(_status(500), id="500"),
        pytest.param(b"<!doctype html>", id="html"),
        pytest.param(b"\xff\xfe" + OURS.encode(), id="not UTF-8"),
        pytest.param(b"api_requests_in_flight +Inf\ncontainer_cpu_periods_total +Inf\n", id="endless"),
        pytest.param(b'a_requests_total{a="b", ="x"} 1\n', id="a label without a name"),
        pytest.param(_raw(b"SSH-2.0-OpenSSH_9.2\r\n"), id="not HTTP"),
        pytest.param(_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"), id="cut off"),
        pytest.param(_raw(b""), id="nothing"),
    ],
)
def test_an_odd_page_is_left_out(body: Body, serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside one that is good: it is as if it were not there, and nobody prints a traceback."""
    odd, good = serve(body), serve(OTHERS.encode())
    seconds = Target("", f"{odd.host}/metrics,{good.host}/metrics").look()
    assert [second.instance for second in seconds] == [good.instance]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("url", ["no url", "http://[::1/metrics", "ftp://127.0.0.1/metrics", "http://127.0.0.1:1/"])
def test_an_address_that_leads_nowhere_is_left_out(url: str, serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is no URL as well as one that nobody listens at."""
    good = serve(OTHERS.encode())
    assert [second.instance for second in Target("", f"{url},{good.host}").look()] == [good.instance]
    assert capsys.readouterr().err == ""


def test_a_huge_page_is_left_out_whole(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off in the midst of a number, it would tell a wrong one; one of just the size that is allowed is read."""
    monkeypatch.setattr(target, "MOST_BYTES", len(OTHERS))
    fits, exceeds = serve(OTHERS.encode()), serve(OTHERS.replace(" 1e6", " 11e6").encode())
    seconds = Target("", f"{fits.host},{exceeds.host}").look()
    assert [second.instance for second in seconds] == [fits.instance]


def test_a_page_of_much_else_is_read_quickly() -> None:
    """Lines that tell nothing here cost next to nothing: a parser would hold up the master for a second."""
    page = "".join(f'other_bucket{{le="{n}",route="/"}} {n}\n' for n in range(30_000)) + OURS
    began = time.thread_time()
    assert read("one", page) == read("one", OURS)
    assert time.thread_time() - began < 0.4


SLOW = """
import gevent.monkey
gevent.monkey.patch_all()
import sys, time
import gevent
from loadlab.generator.target import Target
ticks = []
def tick():
    while True:
        gevent.sleep(0.05)
        ticks.append(1)
gevent.spawn(tick)
began = time.monotonic()
found = [second.instance for second in Target("", sys.argv[1]).look()]
print(found, time.monotonic() - began < 1.6, len(ticks) >= 8)
"""


def test_slow_pages_hold_nobody_up(serve: Serve) -> None:
    """Ones that say nothing, or a letter now and then, are given up, all at once, and greenlets run meanwhile.

    In a process that is patched as Locust's are, and where a proxy is set: that is for the way out, not for targets.
    """
    ends = threading.Event()

    def silent(_: BaseHTTPRequestHandler) -> None:
        ends.wait(10)

    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            while not ends.wait(0.1):
                handler.wfile.write(b"#")

    slow = [serve(silent), serve(dripping), serve(silent), serve(dripping)]
    good, proxy = serve(OTHERS.encode()), serve(OURS.encode())
    pages = ",".join(server.host for server in [*slow, good])
    try:
        command = [sys.executable, "-c", SLOW, pages]
        environment = {**os.environ, "http_proxy": proxy.host, "no_proxy": ""}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    finally:
        ends.set()
    assert (done.stdout, done.stderr) == (f"['{good.instance}'] True True\n", "")
    assert proxy.asked == []


def test_an_instance_is_its_address() -> None:
    """Without scheme and path, so that replicas are told apart by no more than that."""
    assert Page("http://10.0.0.2:5000/metrics", "api:5000").instance == "10.0.0.2:5000"
