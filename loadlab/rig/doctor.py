"""Looks at this machine: what a rig needs, what is there, and how to mend what is not."""

from __future__ import annotations

import os
import platform
import resource
import shutil
from dataclasses import dataclass
from typing import Literal

import psutil

from loadlab.rig import compose, fleet, ports
from loadlab.rig.settings import ROOT, RigSettings

GIB = 1 << 30
CORES = 2
MEMORY_GIB = 2
DISK_GIB = 3
DESCRIPTORS = 10_000


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `ok`, `note` (works, with less) or `bad` (does not work), and how to mend it."""

    subject: str
    level: Literal["ok", "note", "bad"]
    found: str
    remedy: str = ""


def examine(settings: RigSettings) -> list[Finding]:
    """Return what was found, in the order to be read. One engine, that of processes, is always usable."""
    return [
        Finding("python", "ok", platform.python_version()),
        _engine(),
        *_ports(settings),
        _cores(),
        _memory(),
        _descriptors(),
        _disk(),
    ]


def _engine() -> Finding:
    trouble = compose.why_unusable()
    if trouble:
        return Finding("engine", "note", "processes only", f"For containers: {trouble}")
    version = compose.version()
    return Finding("engine", "ok", f"compose {version[0]}.{version[1]}, processes")


def _ports(settings: RigSettings) -> list[Finding]:
    rig = fleet.find()
    own = [rig[1].ui_url, *rig[1].api_urls] if rig else []
    findings = []
    for knob, port in settings.ports:
        refusal = ports.refusal(str(settings.bind_address), port, knob)
        if refusal is None:
            findings.append(Finding(f"port {port}", "ok", "free"))
        elif any(url.endswith(f":{port}") for url in own):
            findings.append(Finding(f"port {port}", "ok", "taken by the rig that is up"))
        else:
            remedy = f"{refusal} Or end what holds it ('ss -ltnp' names that)." if "taken" in refusal else refusal
            findings.append(Finding(f"port {port}", "bad", "not to be had", remedy))
    return findings


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < CORES:
        return Finding(
            "cores", "note", str(cores), "Generator and target share one core: expect an invalid measurement."
        )
    return Finding("cores", "ok", str(cores))


def _memory() -> Finding:
    free = psutil.virtual_memory().available / GIB
    found = f"{free:.1f} GiB available"
    if free < MEMORY_GIB:
        return Finding(
            "memory", "note", found, f"Eight workers want {MEMORY_GIB} GiB: start fewer, or end other programs."
        )
    return Finding("memory", "ok", found)


def _descriptors() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    found = "no limit" if hard == resource.RLIM_INFINITY else f"{hard:,} (hard limit)"
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        remedy = "Each user of a worker is a connection: raise it (ulimit -Hn, /etc/security/limits.conf)."
        return Finding("open files", "note", found, remedy)
    return Finding("open files", "ok", found)


def _disk() -> Finding:
    free = shutil.disk_usage(ROOT).free / GIB
    found = f"{free:.1f} GiB free"
    if free < DISK_GIB:
        return Finding("disk", "note", found, f"Environment and images want {DISK_GIB} GiB: make room.")
    return Finding("disk", "ok", found)
