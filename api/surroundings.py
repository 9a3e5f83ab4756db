"""Prometheus metrics of what surrounds the requests: the container, the machine below it, gunicorn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.cgroup import read_usage
from api.lifecycle import PROCESS
from api.machine import read_machine
from api.processes import all_cpu_s, all_memory_bytes, cpu_s, has_own_cgroup, siblings
from api.server import Server, most_files, open_files, overflows


def register(registry: CollectorRegistry) -> None:
    """Add all that there is to tell."""
    registry.register(ContainerCollector(is_alone=PROCESS.server is None or has_own_cgroup()))
    registry.register(MachineCollector())
    if PROCESS.server is not None:
        registry.register(ServerCollector(PROCESS.server))


class ContainerCollector(Collector):
    """The container's CPU and memory; a figure the kernel does not give is left out.

    Where this server is not alone in it, what all of its programs used is left out too: it is not the server's.
    """

    def __init__(self, *, is_alone: bool) -> None:
        self._is_alone = is_alone

    def collect(self) -> Iterator[Metric]:
        """One family for each figure there is."""
        usage = read_usage()
        if not self._is_alone:
            usage = replace(usage, cpu_s=None, memory_bytes=None)
        counters = (
            ("container_cpu_seconds", "CPU time used.", usage.cpu_s),
            ("container_cpu_periods", "Periods in which the CPU limit was enforced.", usage.periods),
            ("container_cpu_throttled_periods", "Periods in which the limit was hit.", usage.throttled_periods),
            ("container_cpu_throttled_seconds", "Time spent waiting for the next period.", usage.throttled_s),
            ("container_oom_events", "Processes killed for want of memory.", usage.oom_kills),
        )
        gauges = (
            ("container_cpu_limit_cores", "CPU limit.", usage.cpu_limit_cores),
            ("container_memory_bytes", "Memory used, without cached files that can be given up.", usage.memory_bytes),
            ("container_memory_limit_bytes", "Memory limit.", usage.memory_limit_bytes),
        )
        for name, text, value in counters:
            if value is not None:
                yield CounterMetricFamily(name, text, value=value)
        yield from _gauges(gauges)


class MachineCollector(Collector):
    """The machine's cores, and what all of its programs together use of them, by the names of cAdvisor and exporters.

    The time of its boot tells whether two containers are on one machine.
    """

    def collect(self) -> Iterator[Metric]:
        """One family for each figure there is."""
        machine = read_machine()
        if machine.cpu_s:
            used = CounterMetricFamily(
                "node_cpu_seconds", "CPU time of the machine, all cores added up.", labels=["mode"]
            )
            for mode, seconds in machine.cpu_s.items():
                used.add_metric([mode], seconds)
            yield used
        yield from _gauges(
            (
                ("machine_cpu_cores", "Cores of the machine.", machine.cores),
                ("node_boot_time_seconds", "When the machine was booted, in Unix seconds.", machine.booted),
                ("node_netstat_TcpExt_ListenOverflows", "Connections dropped: too many waited.", overflows()),
            )
        )


class ServerCollector(Collector):
    """gunicorn: how full it is."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def collect(self) -> Iterator[Metric]:
        """One family for each figure there is."""
        pids = siblings()
        used = CounterMetricFamily("api_worker_cpu_seconds", "CPU time of each gunicorn worker.", labels=["worker"])
        for pid in pids:
            seconds = cpu_s(pid)
            if seconds is not None:
                used.add_metric([str(pid)], seconds)
        yield used
        used_by_all = all_cpu_s(pids)
        if used_by_all is not None:
            yield CounterMetricFamily("process_cpu_seconds", "CPU time of all of gunicorn.", value=used_by_all)
        waiting, most = self._server.backlog() or (None, None)
        yield from _gauges(
            (
                ("process_resident_memory_bytes", "Memory of all of gunicorn.", all_memory_bytes(pids)),
                ("api_request_slots", "Requests served at a time, by all gunicorn workers.", self._server.slots),
                ("api_listen_backlog", "Connections that wait to be accepted.", waiting),
                ("api_listen_backlog_limit", "Connections that may wait to be accepted.", most),
                ("process_open_fds", "Open files of the gunicorn worker that has most.", open_files(pids)),
                ("process_max_fds", "Open files that a gunicorn worker may have.", most_files()),
            )
        )


def _gauges(figures: Iterable[tuple[str, str, float | None]]) -> Iterator[Metric]:
    for name, text, value in figures:
        if value is not None:
            yield GaugeMetricFamily(name, text, value=value)
