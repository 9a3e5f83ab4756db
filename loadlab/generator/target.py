"""What the target says of itself: its Prometheus page, read each second where there is one.

Any target's: figures are found by the names that are common, see NAMES, and what is not told stays None.
"""

from __future__ import annotations

import re
import socket
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import gevent
import psutil
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from loadlab.analysis.recording import TargetSecond

ANSWER_S = 0.9
PATIENT_S = 5.0  # during a run: a target that is overloaded, of which one would like to know why, answers late
LOOKS_IN_VAIN = 3  # a target without a metrics page is not asked for it for ever
MOST_BYTES = 4_000_000
RESOLVE_EVERY_S = 5.0
BY_NAME = "dns+"  # before a page's URL: it is asked at each address of its name, whose replicas it is
ROUTE_LABELS = ("route", "path", "handler", "endpoint", "uri", "url_rule")
# Field of TargetSecond: the samples that tell it, the best first. Those of a name are added up, whatever their labels.
NAMES: dict[str, tuple[str, ...]] = {
    "in_flight": ("requests_in_flight", "requests_inprogress", "in_flight_requests", "requests_active"),
    "cpu_s": ("container_cpu_seconds_total", "container_cpu_usage_seconds_total", "process_cpu_seconds_total"),
    "cpu_limit": ("container_cpu_limit_cores",),
    "periods": ("container_cpu_periods_total", "container_cpu_cfs_periods_total"),
    "throttled": ("container_cpu_throttled_periods_total", "container_cpu_cfs_throttled_periods_total"),
    "memory_bytes": ("container_memory_bytes", "container_memory_working_set_bytes", "process_resident_memory_bytes"),
    "memory_limit_bytes": ("container_memory_limit_bytes", "container_spec_memory_limit_bytes"),
    "oom_kills": ("container_oom_events_total",),
    "busy_s": ("request_duration_seconds_sum", "requests_duration_seconds_sum", "http_server_requests_seconds_sum"),
    "slots": ("request_slots",),
    "refused": ("requests_refused_total",),
    "store_failures": ("store_failures_total",),
    "backlog": ("listen_backlog",),
    "backlog_limit": ("listen_backlog_limit",),
    "overflows": ("node_netstat_TcpExt_ListenOverflows",),
    "queue": ("haproxy_backend_current_queue",),
    "files": ("process_open_fds",),
    "files_limit": ("process_max_fds",),
    "machine_cores": ("machine_cpu_cores",),
}
WORKER_CPU = "worker_cpu_seconds_total"  # by `worker`
NODE_CPU, BOOTED = "node_cpu_seconds_total", "node_boot_time_seconds"
IDLE_MODES, STOLEN_MODE = ("idle", "iowait"), "steal"
WHOLE = (
    *("periods", "throttled", "oom_kills", "slots", "refused", "store_failures", "backlog", "backlog_limit"),
    *("overflows", "files", "files_limit", "machine_cores"),
)
LIMITS = ("cpu_limit", "memory_limit_bytes")  # cAdvisor says 0 where there is none
SAME_BOOT_S = 2.0  # the time of a boot is reckoned from the time of day, and moves when that is set
_OTHERS = (WORKER_CPU, NODE_CPU, BOOTED)
_KNOWN = (re.escape(name.removesuffix("_total")) for names in (*NAMES.values(), _OTHERS) for name in names)
_TELLING = re.compile("|".join((*_KNOWN, r"requests?(?:_total)?\b")))
_straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # past any proxy


@dataclass(frozen=True)
class Page:
    """A metrics page: its URL, and the name of the host that it was asked of under its address."""

    url: str
    host: str | None = None

    @property
    def instance(self) -> str:
        """Return what tells one instance from another."""
        return urlsplit(self.url).netloc


class Target:
    """Reads the pages of one target: those in $TARGET_METRICS, else /metrics at each address of its name."""

    def __init__(self, host: str, pages: str = "") -> None:
        given = [url.strip() for url in pages.split(",") if url.strip()]
        self._fixed = tuple(Page(url) for url in given if not url.startswith(BY_NAME))
        self._names = [url.removeprefix(BY_NAME) for url in given if url.startswith(BY_NAME)]
        self._host = host if not given else ""
        self._found: tuple[Page, ...] = ()
        self._resolved_at = float("-inf")
        self._open: set[Page] = set()
        self._asked = 0
        self._has_told = False

    @property
    def is_silent(self) -> bool:
        """Tell whether it was asked some times and never said anything."""
        return self._asked >= LOOKS_IN_VAIN and not self._has_told and not self._open

    def look(self) -> list[TargetSecond]:
        """Return what each instance says of itself now; those that do not answer within 0.9 s are left out."""
        asked = [gevent.spawn(_ask, page) for page in self._pages()]
        gevent.joinall(asked, timeout=2 * ANSWER_S)
        return [answer.value for answer in asked if answer.value is not None]

    def ask(self, tell: Callable[[TargetSecond], None]) -> None:
        """Ask each instance that owes no answer; what it says within 5 s is told when it comes. Does not wait."""
        self._asked += 1
        for page in self._pages():
            if page not in self._open:
                self._open.add(page)
                gevent.spawn(self._ask, page, tell)

    def _ask(self, page: Page, tell: Callable[[TargetSecond], None]) -> None:
        try:
            said = _ask(page, PATIENT_S)
        finally:
            self._open.discard(page)
        if said is not None:
            self._has_told = True
            tell(said)

    def _pages(self) -> tuple[Page, ...]:
        if time.monotonic() - self._resolved_at > RESOLVE_EVERY_S:
            by_name = [page for url in self._names for page in _at_each_address(url)]
            self._found = (*self._fixed, *by_name, *_pages(self._host))
            self._resolved_at = time.monotonic()
        return self._found


def read(instance: str, text: str, name: str = "") -> TargetSecond:
    """Read a metrics page; `name` is what the answer calls its instance.

    Raises:
        ValueError: it is not one, or tells nothing of use.
    """
    # The lines of use only: to parse all takes 1 us a byte, and the master answers nobody meanwhile.
    lines = "\n".join(line for line in text.splitlines() if _TELLING.search(line))
    samples = [sample for family in text_string_to_metric_families(lines) for sample in family.samples]
    totals: dict[str, float] = {}
    for sample in samples:
        totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    second = TargetSecond(instance, _requests(samples))
    for field, names in NAMES.items():
        value = _first(totals, names)
        if field in LIMITS:
            value = value or None
        setattr(second, field, int(value) if value is not None and field in WHOLE else value)
    if second == TargetSecond(instance):
        raise ValueError("nothing that is known here")
    second.name = name
    second.workers_cpu_s = _by_label(samples, WORKER_CPU, "worker") or None
    _read_machine(second, samples)
    return second


def _read_machine(second: TargetSecond, samples: Sequence[Sample]) -> None:
    """Note whether the instance is on this machine; of any other, what became of its CPU time."""
    booted = _first({sample.name: sample.value for sample in samples}, (BOOTED,))
    second.is_here = None if booted is None else abs(booted - psutil.boot_time()) <= SAME_BOOT_S
    modes = _by_label(samples, NODE_CPU, "mode")
    if modes and not second.is_here:
        second.machine_idle_s = sum(modes.get(mode, 0.0) for mode in IDLE_MODES)
        second.machine_stolen_s = modes.get(STOLEN_MODE, 0.0)


def _by_label(samples: Iterable[Sample], name: str, label: str) -> dict[str, float]:
    """Add up the samples of a name by one of their labels, to the ms."""
    found: dict[str, float] = {}
    for sample in samples:
        if (sample.name == name or sample.name.endswith(f"_{name}")) and label in sample.labels:
            key = str(sample.labels[label])
            found[key] = round(found.get(key, 0.0) + sample.value, 3)
    return found


def _first(totals: dict[str, float], names: tuple[str, ...]) -> float | None:
    for name in names:
        for known, value in totals.items():
            if known == name or known.endswith(f"_{name}"):
                return value
    return None


def _requests(samples: Iterable[Sample]) -> dict[str, int] | None:
    """Add up the requests by method and route; None where there is no counter of requests with both labels."""
    found: dict[str, int] = {}
    for sample in samples:
        route = next((sample.labels[label] for label in ROUTE_LABELS if label in sample.labels), None)
        if sample.name.endswith(("requests_total", "request_total")) and route and "method" in sample.labels:
            key = f"{sample.labels['method']} {route}"
            found[key] = found.get(key, 0) + int(sample.value)
    return found or None


def _pages(host: str) -> Iterator[Page]:
    """Yield /metrics at each address of a target, whatever the path of its URL."""
    try:
        parts = urlsplit(host)
    except ValueError:
        return
    yield from _at_each_address(urlunsplit((parts.scheme, parts.netloc, "/metrics", "", "")))


def _at_each_address(url: str) -> Iterator[Page]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:  # such as a port that is none: the requests will tell of it
        return
    if not parts.hostname:
        return
    if parts.scheme == "https":  # its certificate is for the name
        yield Page(url)
        return
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError:
        return
    for address in sorted({str(entry[4][0]) for entry in found}):
        literal = f"[{address}]" if ":" in address else address
        yield Page(urlunsplit(("http", f"{literal}:{port}", parts.path, parts.query, "")), parts.netloc)


def _ask(page: Page, within_s: float = ANSWER_S) -> TargetSecond | None:
    try:
        request = urllib.request.Request(page.url, headers={"Host": page.host} if page.host else {})
        with gevent.Timeout(within_s), _straight.open(request, timeout=within_s) as response:
            text = response.read(MOST_BYTES + 1)
            name = response.headers.get("X-Instance") or ""
        return read(page.instance, text.decode(), name) if len(text) <= MOST_BYTES else None
    except (Exception, gevent.Timeout):  # whatever it may answer, and a parser raise: then it does not tell
        return None
