"""Leads a run from its start to its last report, on the master: the same way whoever started it.

Locust's own events tell of the start and the stop, whether they came from its UI, from our HTTP interface or from a
user's own shape. In between, a recording follows the run. A run is over when every worker has said its last word.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.rpc import Message
from locust.runners import STATE_INIT, STATE_MISSING, STATE_STOPPED, MasterRunner

from loadlab import calibrations
from loadlab import plan as plans
from loadlab.analysis import headroom, slo
from loadlab.analysis.recording import EventKind, Run, Status
from loadlab.analysis.wording import many
from loadlab.errors import LabError, UsageError
from loadlab.generator import aftermath, scenarios, searching
from loadlab.generator.chronicle import Chronicle
from loadlab.generator.load_shape import PlanShape, SearchShape
from loadlab.generator.place import place
from loadlab.generator.reporting import ACK, BEGIN, REPORT
from loadlab.generator.target import Target
from loadlab.plan import RunPlan
from loadlab.runfolder import create

LOOK_EVERY_S = 0.25
READY_S = 120.0
LAST_WORDS_S = 12.0  # beyond the stop timeout, for the last reports
TICK_S = 0.05
IDLE_S = 5.0

logger = logging.getLogger(__name__)


class BusyError(LabError):
    """A run is on: there is one at a time."""


class Conductor:
    """The one who starts runs, follows them and ends them."""

    def __init__(self, environment: Environment, runner: MasterRunner, root: Path) -> None:
        self.root = root
        self.revision: str | None = None  # of git, which a rig's own command tells
        self.environment = environment
        self.runner = runner
        self._own_shape = environment.shape_class  # the user's: it wins over ours
        self._own_host = environment.host
        self._fingerprint = scenarios.fingerprint()  # of what is loaded: a file that is edited later is not
        self._chronicle: Chronicle | None = None
        self._prepared: RunPlan | None = None
        self._stopped_by: str | None = None
        self._is_beginning = False  # Locust starts users as soon as `begin` returns, and hears of no stop until then

    @property
    def active(self) -> str | None:
        """Return the number of the run that is not over yet."""
        return self._chronicle.run.id if self._chronicle else None

    def start(self, plan: RunPlan, *, by: str) -> str:
        """Open a run, start it as soon as its workers are ready, and return its id.

        Raises:
            BusyError: another one is on.
            LabError: there is no such scenario.
        """
        self._check_free()
        self._check_possible(plan)
        chronicle = self._open(plan, by)
        self.runner.greenlet.spawn(self._launch, chronicle)
        return chronicle.run.id

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Have the start that Locust is about to make by itself follow a plan.

        Raises:
            BusyError: a run is on, or drains.
            LabError: the plan is bad; says why.
        """
        self._check_free()
        plan = plans.make({"slos": default_slos(), **values}, endless=True)
        self._check_possible(plan)
        self._wait_idle()
        self._prepared = plan
        self._set_up(plan)

    def stop(self, run_id: str, *, by: str) -> None:
        """Stop a run; of one that is over, or stops already, nothing."""
        chronicle = self._chronicle
        if chronicle is None or chronicle.run.id != run_id:
            return
        if chronicle.run.status is Status.WAITING and not self._is_beginning:
            self._close(chronicle, Status.INTERRUPTED, by)
        elif chronicle.run.status in (Status.WAITING, Status.RUNNING):
            self._stopped_by = by
            self.runner.greenlet.spawn(self.runner.stop)

    def live(self, run_id: str) -> dict[str, Any] | None:
        """Return how the run that is on is going, None when it is another one."""
        chronicle = self._chronicle
        if chronicle is None or chronicle.run.id != run_id:
            return None
        return chronicle.document(self.runner)

    def leave(self) -> None:
        """End the run that is on and wait for its report: the master was told to go."""
        chronicle = self._chronicle
        if chronicle is None:
            return
        self.stop(chronicle.run.id, by="signal")
        chronicle.reported.wait(self.environment.stop_timeout + LAST_WORDS_S + aftermath.PATIENCE_S)

    def _check_free(self) -> None:
        if self._chronicle is not None:
            status = self._chronicle.run.status
            raise BusyError(f"Run {self._chronicle.run.id} is {status}: there is one run at a time. Stop it, or wait.")

    def _wait_idle(self) -> None:
        # Locust says "started" and does nothing while the shape of the last run is on its way out, up to a second.
        deadline = time.monotonic() + IDLE_S
        while self.runner.shape_greenlet:
            if time.monotonic() > deadline:
                raise BusyError("The last run is still being ended: press start again in a moment.")
            gevent.sleep(TICK_S)
        self._check_free()  # someone else may have been quicker meanwhile

    def _check_possible(self, plan: RunPlan) -> None:
        known = scenarios.available()
        if plan.scenario is not None and plan.scenario not in known:
            raise LabError(f"There is no scenario {plan.scenario!r}: choose one of {', '.join(known)}.")
        if plan.shape == "capacity" and self._own_shape is not None:
            name = type(self._own_shape).__name__
            raise UsageError(
                f"The locustfile's own load shape {name} drives the load: no capacity can be searched for."
            )

    def _open(self, plan: RunPlan, by: str) -> Chronicle:
        options = vars(self.environment.parsed_options) if self.environment.parsed_options else {}
        values = plan.model_dump(mode="json")
        values["host"] = plan.host or self._own_host
        values["scenario"] = plan.scenario or options.get("scenario")
        folder = create(self.root, plan.name)
        run = Run(
            folder.id,
            Status.WAITING,
            values,
            slo.thresholds_us(plan.parsed_slos),
            time.time(),
            started_by=by,
            slo=plan.slos,
            own_shape=type(self._own_shape).__name__ if self._own_shape and plan.calibrates is None else None,
            expected_workers=plan.workers or self.runner.worker_count,
            revision=self.revision,
            **place(),
        )
        run.versions["locustfiles"] = self._fingerprint
        run.calibration = headroom.nearest(run, calibrations.kept(self.root)) if plan.calibrates is None else None
        folder.write_run(run)
        self._chronicle = Chronicle(folder, run, plan)
        self._stopped_by = None
        return self._chronicle

    def _launch(self, chronicle: Chronicle) -> None:
        plan = chronicle.plan
        deadline = time.monotonic() + READY_S
        while chronicle is self._chronicle and not self._is_ready(plan):
            if time.monotonic() > deadline:
                wanted = "one worker" if plan.workers is None else f"exactly {many(plan.workers, 'worker')}"
                ready = self.runner.worker_count
                is_ready = f"{many(ready, 'worker')} {'was' if ready == 1 else 'were'} ready"
                text = f"{is_ready}, not {wanted}, after {READY_S:g} s"
                chronicle.tell(EventKind.WARNING, text)
                self._close(chronicle, Status.ABORTED, "no-workers")
            gevent.sleep(TICK_S)
        if chronicle is not self._chronicle:
            return
        self._set_up(plan)
        if self.environment.shape_class is not None:
            self.runner.start_shape()
        else:
            self.runner.start(plan.users, plan.spawn_rate)

    def _is_ready(self, plan: RunPlan) -> bool:
        count = self.runner.worker_count
        is_enough = count >= 1 if plan.workers is None else count == plan.workers
        # The shape of a run that has just ended may still be on its way out: no other is started beside it.
        is_idle = self.runner.state in (STATE_INIT, STATE_STOPPED) and not self.runner.shape_greenlet
        return is_enough and is_idle

    def _set_up(self, plan: RunPlan) -> None:
        """Set Locust's own options as its start form would, and the shape that drives the load."""
        options = vars(self.environment.parsed_options) if self.environment.parsed_options else {}
        options |= {"num_users": plan.users, "users": plan.users, "spawn_rate": plan.spawn_rate}
        self.environment.host = options["host"] = plan.host or self._own_host  # the last run's is not this one's
        if plan.scenario:
            options["scenario"] = plan.scenario
        scenarios.select(self.environment)
        if self._own_shape is not None and plan.calibrates is None:
            return
        is_endless = plan.shape == "steady" and plan.time_s is None
        shape: PlanShape | SearchShape | None = None
        if plan.shape == "capacity":
            shape = SearchShape(searching.make(plan))
        elif not is_endless:
            shape = PlanShape(plan)
        if shape is not None:
            shape.runner = self.runner
        self.environment.shape_class = shape

    def begin(self) -> None:
        """Begin to follow the run that Locust starts: no user has been ordered yet."""
        chronicle = self._chronicle or self._open(self._prepared or self._plan_of_locust(), "ui")
        self._prepared = None
        host = str(chronicle.run.plan["host"] or "")
        self._is_beginning = True
        try:
            # The pages that were given are the rig's own target's.
            pages = os.environ.get("TARGET_METRICS", "") if host == self._own_host else ""
            shape = self.environment.shape_class
            search = shape.search if isinstance(shape, SearchShape) else None
            chronicle.begin(Target(host, pages), search)
        except BaseException:  # a stop within a moment of the start kills the greenlet that starts
            self._close(chronicle, Status.INTERRUPTED, self._stopped_by or "user")
            self.runner._users_dispatcher = None  # Locust would take it up again, with the workers and users of then
            raise
        finally:
            self._is_beginning = False
        for client in self.runner.clients.all:
            self.invite(client.id)
        self.runner.greenlet.spawn(self._follow, chronicle)
        self.runner.greenlet.spawn(chronicle.look_beside)
        if self._stopped_by is not None:  # meanwhile
            self.runner.greenlet.spawn(self.runner.stop)

    def _plan_of_locust(self) -> RunPlan:
        # Not checked: it is being started already, by a user's shape or by code of theirs.
        return RunPlan.model_construct(
            users=max(1, self.runner.target_user_count),
            spawn_rate=self.runner.spawn_rate or 1.0,
            slos=default_slos(),
        )

    def invite(self, client_id: str) -> None:
        """Tell a worker which run it is in; one that greets while nothing runs is told at the next start."""
        chronicle, client = self._chronicle, self.runner.clients.get(client_id)
        if chronicle is None or client is None or chronicle.run.status is not Status.RUNNING:
            return
        is_there = client.state != STATE_MISSING
        chronicle.attendance.invite(self._number(client_id), client_id, chronicle.now(), is_there=is_there)
        order = {
            "run": chronicle.run.id,
            "started": chronicle.run.started,
            "thresholds_us": list(chronicle.run.thresholds_us),
            "pauses": chronicle.plan.calibrates is None,
        }
        self.runner.server.send_to_client(Message(BEGIN, order, client_id))

    def hear(self, msg: Message, **_: Any) -> None:
        """Take in a worker's report and acknowledge it. Within the master's message loop: quick, and never raises."""
        try:
            order = {"run": msg.data["run"], "number": msg.data["number"], "at": time.time()}
            if self._chronicle is not None and msg.data["run"] == self._chronicle.run.id:
                self._chronicle.hear(self._number(msg.node_id), msg.node_id, msg.data)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            logger.warning("A report of %s could not be read: %r", msg.node_id, error)
            return
        self.runner.server.send_to_client(Message(ACK, order, msg.node_id))
        if order["run"] is None:  # a worker's greeting: from now on it hears what it is told, no sooner
            self.invite(msg.node_id)

    def end(self) -> None:
        """Go over to the last reports: the users of the run are told to stop."""
        chronicle = self._chronicle
        if chronicle is None or chronicle.run.status is not Status.RUNNING:
            return
        chronicle.drain(self._who_stopped())
        self.runner.greenlet.spawn(self._finish, chronicle)

    def _who_stopped(self) -> str:
        if self._stopped_by is not None:
            return self._stopped_by
        if not self.runner.worker_count:
            return "no-workers"
        is_shape = self.runner.shape_greenlet is not None and self.runner.shape_greenlet is gevent.getcurrent()
        return "plan" if is_shape else "user"

    def _follow(self, chronicle: Chronicle) -> None:
        while chronicle.run.status is Status.RUNNING:
            states = {self._number(client.id): client.state for client in self.runner.clients.all}
            chronicle.look(states, self.runner.user_count, self.runner.target_user_count)
            gevent.sleep(LOOK_EVERY_S)

    def _finish(self, chronicle: Chronicle) -> None:
        deadline = time.monotonic() + self.environment.stop_timeout + LAST_WORDS_S
        while not chronicle.is_told and time.monotonic() < deadline:
            gevent.sleep(TICK_S)
        self._close(chronicle, chronicle.status_of_end, chronicle.run.stopped_by)

    def _close(self, chronicle: Chronicle, status: Status, by: str | None) -> None:
        chronicle.close(status, by)
        self._chronicle = None
        self.environment.shape_class = self._own_shape
        self.runner.greenlet.spawn(self._report, chronicle)

    def _report(self, chronicle: Chronicle) -> None:
        if aftermath.report(chronicle.folder) and chronicle.plan.calibrates is not None:
            aftermath.remember(chronicle.folder)
        chronicle.reported.set()

    def _number(self, client_id: str) -> int:
        return int(self.runner.get_worker_index(client_id)) + 1


def default_slos() -> tuple[str, ...]:
    """Return the promises of $SLO, else the built-in ones."""
    return slo.split(os.environ.get("SLO", "")) or slo.DEFAULTS


def attach(environment: Environment, runner: MasterRunner, root: Path) -> Conductor:
    """Have a conductor lead the runs of this master.

    Raises:
        OSError: the folder of the runs cannot be made or written to.
    """
    root.mkdir(parents=True, exist_ok=True)
    if not os.access(root, os.W_OK):
        raise PermissionError(f"Run folders cannot be written to {root.resolve()}: set RESULTS_DIR to another folder.")
    conductor = Conductor(environment, runner, root)
    environment.events.test_start.add_listener(lambda **_: conductor.begin())
    environment.events.test_stopping.add_listener(lambda **_: conductor.end())
    runner.register_message(REPORT, conductor.hear)
    return conductor
