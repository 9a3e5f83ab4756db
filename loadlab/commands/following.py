"""Follows a run on a master to its end, whatever that is: its planned one, Ctrl-C, or the death of the master."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from loadlab.analysis.recording import ENDS, Status
from loadlab.commands.interrupts import Interrupts
from loadlab.errors import LabError
from loadlab.rig.engine import Engine
from loadlab.rig.master import Master, RefusedError, SilentError

LOOK_EVERY_S = 0.5
TICK_S = 0.05
ANSWER_S = 1.0
SILENCE_S = 3.0  # of a master that is not known to have ended
SILENCE_AFTER_S = 30.0  # once the run is over: nothing is lost by waiting
LOST_S = 6.0  # a run that is on, and of which the master has nothing to tell: it is another master by now
REPORT_S = 135.0  # more than the master gives its report
DRAIN_S = 30.0  # beyond the stop timeout


class How(Enum):
    """How following a run ended."""

    REPORTED = auto()  # it is over, and the master has its report
    UNREPORTED = auto()  # it is over, and the master could not make the report
    LOST = auto()  # the master is gone, or the run did not stop when told to
    GIVEN_UP = auto()  # by the user


@dataclass(frozen=True)
class End:
    """How following a run ended, and in a sentence why, where that is no matter of course.

    `heard_at` is when the master last answered, on the monotonic clock.
    """

    how: How
    why: str = ""
    interrupted: bool = False
    heard_at: float = 0.0


class View(Protocol):
    """Shows how a run is going."""

    def update(self, document: dict[str, Any]) -> None:
        """Take in what the master says of the run."""

    def say(self, text: str) -> None:
        """Show a line that stays; what it says holds from now on."""


class _GoneError(LabError):
    """The master is dead, as far as anyone can tell."""


class Follower:
    """Follows one run."""

    def __init__(self, engine: Engine, master: Master, run_id: str, stop_timeout_s: float) -> None:
        self.engine = engine
        self.master = master
        self.run_id = run_id
        self.patience_s = stop_timeout_s + DRAIN_S
        self._heard_at = self._told_at = time.monotonic()
        self._over_at: float | None = None
        self._stop_by: float | None = None
        self._is_stopped = False

    def follow(self, view: View, interrupts: Interrupts) -> End:
        """Show the run until it is over and reported, lost, or given up."""
        while True:
            try:
                how = self._look(view)
                self._obey(view, interrupts)
            except _GoneError as error:
                return End(How.LOST, str(error), interrupts.count > 0, self._heard_at)
            if how is not None:
                return End(how, "", interrupts.count > 0, self._heard_at)
            if self._pause(interrupts):
                return End(How.GIVEN_UP, "", True, self._heard_at)

    def _look(self, view: View) -> How | None:
        """Ask the master once, show what it says, and return how it ended if it did."""
        document = self._ask()
        if document is None:
            return None
        view.update(document)
        if document["status"] not in ENDS:
            return None
        if document["reported"]:
            return How.REPORTED
        now = time.monotonic()
        if self._over_at is None:
            self._over_at = now
        return How.UNREPORTED if now - self._over_at > REPORT_S else None

    def _ask(self) -> dict[str, Any] | None:
        """Return what the master says of the run; None when it did not answer, which may happen once.

        Raises:
            _GoneError: it has ended, or has been silent for too long.
        """
        try:
            document = self.master.run(self.run_id, timeout_s=ANSWER_S)
        except RefusedError as error:
            raise _GoneError(f"The master does not know the run any more: {error}") from None
        except SilentError as error:
            self._check_alive(str(error))
            return None
        now = self._heard_at = time.monotonic()
        is_on = document["status"] in (Status.RUNNING, Status.DRAINING)
        if document["live"] is not None or not is_on:
            self._told_at = now
        if now - self._told_at > LOST_S:
            raise _GoneError("The master was started anew in the middle of the run.")
        return document

    def _check_alive(self, silence: str) -> None:
        """Tell a lost answer from a dead master.

        Raises:
            _GoneError: says what is known of its end.
        """
        try:
            state = self.engine.state()
        except LabError:
            pass  # nothing known: the silence decides
        else:
            if state is None:
                raise _GoneError("The rig is gone: something took it down.")
            for failure in state.failures:
                if failure.part.startswith("master"):
                    raise _GoneError(str(failure))
        patience = SILENCE_S if self._over_at is None else SILENCE_AFTER_S
        if time.monotonic() - self._heard_at > patience:
            raise _GoneError(f"{silence} It has been silent for {patience:g} s.")

    def _obey(self, view: View, interrupts: Interrupts) -> None:
        """Have the run stopped on the first Ctrl-C; the master is asked until it has heard.

        Raises:
            _GoneError: the run goes on though it was told to stop.
        """
        if not interrupts.count:
            return
        if self._stop_by is None:
            self._stop_by = time.monotonic() + self.patience_s
            if self._over_at is not None:
                view.say("The run is over, its report is being made. Ctrl-C gives up.")
                return
            view.say(f"Stopping: requests on their way may finish (at most {self.patience_s:.0f} s). Ctrl-C gives up.")
        if self._over_at is not None:
            return
        if time.monotonic() > self._stop_by:
            raise _GoneError(f"The run did not end within {self.patience_s:.0f} s after it was told to stop.")
        if not self._is_stopped:
            try:
                self.master.stop(self.run_id)
            except SilentError:
                return
            except RefusedError:
                pass  # it has ended meanwhile
            self._is_stopped = True

    def _pause(self, interrupts: Interrupts) -> bool:
        """Wait until the next look is due or there is a new interruption; True: the user gives up."""
        before = interrupts.count
        until = time.monotonic() + LOOK_EVERY_S
        while time.monotonic() < until and interrupts.count == before:
            time.sleep(TICK_S)
        return interrupts.count >= 2
