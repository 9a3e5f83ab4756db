"""The engine that runs the parts as plain processes on loopback: the default where no Docker Engine answers."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import psutil

from loadlab.errors import LabError, UsageError
from loadlab.rig import archive, balancer, knobs, logfiles, ports, rigfolder
from loadlab.rig.engine import LOOPBACK, NULL_SERVICE, NULL_TARGET_S, Failure, NullTarget, RigState, lb_url, url
from loadlab.rig.parts import BACKEND_FILE, Fleet, locust_options, master_options
from loadlab.rig.rigfolder import MARK, RigFolder
from loadlab.rig.settings import ROOT, RigSettings, environment

START_S = 10.0


def default_folder() -> Path:
    """Return the folder of this checkout's process rig."""
    return Path(os.environ.get("LAB_HOME") or ROOT / ".lab").resolve() / "rig"


class ProcessEngine:
    """A supervisor and its children, found again by the folder they share."""

    name: ClassVar[str] = "processes"
    renews: ClassVar[bool] = False

    def __init__(self, path: Path | None = None) -> None:
        self.folder = RigFolder(path or default_folder())

    def state(self) -> RigState | None:
        """Return the parts that run and have ended, or None when no supervisor lives."""
        if self._supervisor() is None:
            return None
        running = rigfolder.read(self.folder.running)
        if running is None:
            return RigState(self.name)
        failures = [Failure(name, code, self.folder.last_lines(name)) for name, code in running["ended"].items()]
        fleet = self._wanted()
        if fleet is None:
            return RigState(self.name, tuple(running["running"]), tuple(failures))
        replicas = tuple(url(fleet.address, port) for port in fleet.api_ports)
        ui = url(fleet.address, fleet.ui_port)
        lb = url(fleet.address, fleet.lb_port) if fleet.haproxy else ""
        return RigState(self.name, tuple(running["running"]), tuple(failures), ui, replicas, lb)

    def up(self, settings: RigSettings, *, tied: bool) -> None:
        """Start a supervisor with the fleet, or give a living one the new fleet."""
        supervisor = self._supervisor()
        if supervisor is not None:
            self._rescale(settings, supervisor)
            return
        fleet = self._fleet(settings)
        self._end_leftovers()
        ports.check_free(settings)
        self.folder.prepare()
        self._tell_balancer(fleet)
        rigfolder.write(self.folder.wanted, fleet.to_json())
        command = [
            sys.executable,
            "-m",
            "loadlab.rig.supervisor",
            str(self.folder.path),
            *([str(os.getpid())] if tied else []),
        ]
        with self.folder.log("supervisor").open("ab") as log:
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if not _within(START_S, lambda: self.folder.running.exists() or child.poll() is not None):
            raise LabError(f"The supervisor did not start within {START_S:g} s: see {self.folder.log('supervisor')}.")
        if child.poll() is not None:
            raise LabError("\n".join(["The supervisor ended at once:", *self.folder.last_lines("supervisor")]))

    def down(self, *, volumes: bool) -> None:
        """End the supervisor, which ends its parts; then whatever a killed one left behind."""
        supervisor = self._supervisor()
        if supervisor is not None:
            supervisor.terminate()
            grace_s = (rigfolder.read(self.folder.wanted) or {}).get("grace_s", 0)
            if not _within(grace_s + START_S, lambda: not _lives(supervisor)):
                supervisor.kill()
        self._end_leftovers()
        self.folder.running.unlink(missing_ok=True)
        self.folder.wanted.unlink(missing_ok=True)
        if volumes:
            self.folder.remove_data()

    def is_keeping(self) -> bool:
        """Tell whether the API's store or runs are there."""
        return self.folder.has_data()

    def logs(self, services: list[str], *, follow: bool) -> int:
        """Print the log files; followed, only what is new, until the rig is down."""
        files = {file.stem: file for file in self.folder.logs.glob("*.log")}
        unknown = [name for name in services if not any(_belongs(part, name) for part in files)]
        if unknown:
            known = ", ".join(sorted(files)) or "none, as no rig was started"
            raise UsageError(f"There is no log of {', '.join(unknown)}. There are: {known}.")
        chosen = {
            part: file for part, file in files.items() if not services or any(_belongs(part, name) for name in services)
        }
        logfiles.show(chosen, follow=follow, lives=lambda: self._supervisor() is not None)
        return 0

    def salvage(self, run_id: str, to: Path) -> bool:
        """Copy what the master wrote of a run, and tell whether there was anything."""
        return archive.copy(self.folder.results / run_id, to)

    def start_null_target(self, settings: RigSettings) -> NullTarget:
        """Have the supervisor run one more part."""
        fleet, supervisor = self._running()
        port, target = ports.free_port(LOOPBACK), settings.target_host or fleet.options["LOCUST_HOST"]
        self._change(replace(fleet, null_port=port, null_target=target), supervisor)
        if not _within(NULL_TARGET_S, lambda: not ports.is_free(LOOPBACK, port) or bool(self._null_failures())):
            raise LabError(f"There is no null target: it does not answer within {NULL_TARGET_S:g} s.")
        if failures := self._null_failures():
            raise LabError(f"There is no null target: {failures[0]}")
        return NullTarget(f"{url(LOOPBACK, port)}{urlsplit(target).path}", target)

    def stop_null_target(self) -> None:
        """Have the supervisor end that part."""
        fleet, supervisor = self._running()
        if fleet.null_port is not None:
            self._change(replace(fleet, null_port=None, null_target=""), supervisor)

    def _null_failures(self) -> list[Failure]:
        state = self.state()
        return [one for one in (state.failures if state else ()) if one.part.startswith(NULL_SERVICE)]

    def _running(self) -> tuple[Fleet, psutil.Process]:
        fleet, supervisor = self._wanted(), self._supervisor()
        if fleet is None or supervisor is None:
            raise LabError("The rig is gone: something took it down.")
        return fleet, supervisor

    def _change(self, fleet: Fleet, supervisor: psutil.Process) -> None:
        rigfolder.write(self.folder.wanted, fleet.to_json())
        supervisor.send_signal(signal.SIGHUP)

    def _fleet(self, settings: RigSettings, before: Fleet | None = None) -> Fleet:
        """Return the wanted fleet; the ports of the one that is up stay what they are."""
        haproxy = balancer.executable() if settings.lb else ""
        several = settings.api_replicas > 1 and not haproxy
        balanced = ((before and before.balanced_port) or ports.free_port(LOOPBACK)) if several else None
        target = lb_url(settings) if haproxy else f"http://{LOOPBACK}:{balanced or settings.api_ports[0]}"
        return Fleet(
            workers=settings.workers,
            api_ports=tuple(settings.api_ports),
            address=str(settings.bind_address),
            ui_port=settings.ui_port,
            control_port=before.control_port if before else ports.free_port(LOOPBACK),
            balanced_port=balanced,
            folder=str(self.folder.path),
            grace_s=settings.stop_grace_s,
            options=locust_options(settings, target),
            master_options=master_options(settings, results=self.folder.results),
            api_knobs=self._api_knobs(settings),
            null_port=before.null_port if before else None,
            null_target=before.null_target if before else "",
            haproxy=haproxy,
            lb_port=settings.lb_port if haproxy else 0,
            lb_stats_port=settings.lb_stats_port if haproxy else 0,
        )

    def _tell_balancer(self, fleet: Fleet) -> None:
        if fleet.haproxy:
            address = LOOPBACK if fleet.address == "0.0.0.0" else fleet.address
            (self.folder.path / BACKEND_FILE).write_text(balancer.backend(address, fleet.api_ports))

    def _api_knobs(self, settings: RigSettings) -> str:
        """Return a digest, since there may be a password among them."""
        values = self._environment(settings)
        names = sorted(name for name in values if name.startswith(("API_", "GUNICORN_")) or name == "DATABASE_URL")
        return hashlib.sha256(repr([(name, values[name]) for name in names]).encode()).hexdigest()

    def _environment(self, settings: RigSettings) -> dict[str, str]:
        """Return what all parts have in common: the knobs, the store of this rig unless one is given, and the mark."""
        store = f"sqlite:///{self.folder.path / 'data' / 'tests.db'}"
        own = {MARK: str(self.folder.path), "PYTHONUNBUFFERED": "1"}
        return {"DATABASE_URL": store, **environment(settings), **own}

    def _rescale(self, settings: RigSettings, supervisor: psutil.Process) -> None:
        """Give a living supervisor another number of workers; what its master and API were started with must stay."""
        before = self._wanted()
        if before is None:
            raise LabError("The rig that is up was started by another version of loadlab. Run './lab down' first.")
        fleet = self._fleet(settings, before)
        if replace(before, workers=fleet.workers) != fleet:
            raise LabError(
                "A rig of processes is up with other knobs, ports or replicas: only its workers can be scaled. "
                f"{self._differing(settings, supervisor)}Run './lab down' first."
            )
        self._change(fleet, supervisor)
        _within(settings.stop_grace_s, lambda: self._worker_count() == settings.workers)

    def _differing(self, settings: RigSettings, supervisor: psutil.Process) -> str:
        """Return in a sentence which knobs differ; nothing where none can be named, such as with other code."""
        with suppress(psutil.Error):  # its environment is what the rig was started with
            found = "; ".join(knobs.differing(supervisor.environ(), self._environment(settings)))
            return f"{found}. " if found else ""
        return ""

    def _wanted(self) -> Fleet | None:
        """Return the fleet that was asked for last, None when the file is not one of this version's."""
        try:
            return Fleet.from_json(rigfolder.read(self.folder.wanted) or {})
        except (KeyError, TypeError):
            return None

    def _worker_count(self) -> int:
        state = self.state()
        return state.count("worker") if state else 0

    def _supervisor(self) -> psutil.Process | None:
        """Return the living supervisor, told from a stranger with the same pid by the rig's mark.

        Not by its start time, which moves with the clock when that is set.
        """
        pid = (rigfolder.read(self.folder.running) or {}).get("pid")
        if not isinstance(pid, int) or pid <= 0:
            return None
        try:
            process = psutil.Process(pid)
        except psutil.Error:
            return None
        return process if self.folder.is_marked(process) and _lives(process) else None

    def _end_leftovers(self) -> None:
        left = self.folder.processes()
        for process in left:
            _signal(process, signal.SIGTERM)
        _, stubborn = psutil.wait_procs(left, timeout=START_S)
        for process in stubborn:
            _signal(process, signal.SIGKILL)
        psutil.wait_procs(stubborn, timeout=START_S)


def _belongs(part: str, name: str) -> bool:
    return part == name or part.rsplit("-", 1)[0] == name


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _within(seconds: float, happened: Callable[[], bool]) -> bool:
    """Wait for something, at most so long, and tell whether it happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
