"""What one worker records of its requests: for each second and endpoint, exact counts and a histogram of the times.

Hangs on Locust's `request` event, thus costs a little of every request: it does no more than add to integers. It is
beside Locust's own statistics because those round times to two digits, mix failures in and lose the last interval.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from locust.exception import CatchResponseError

from loadlab.analysis.histogram import EXACT_BELOW, LONGEST_US, PRECISION_BITS

MOST_ENDPOINTS = 1000  # names made of what differs between requests would fill the memory
MOST_KINDS = 200
MOST_INSTANCES = 100
OTHERS = "(others)"
KIND_LENGTH = 120
NEVER = 1 << 62

# What differs from request to request in the text of an error: addresses, ids, long numbers. Status codes stay.
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8}[0-9a-fA-F-]{8,}\b|\d{4,}")

_SERVER_TIMING = re.compile(r"(?:^|,)\s*(app|db)\s*;(?:[^,]*;)?\s*dur=([0-9]{1,9}(?:\.[0-9]{1,9})?)")


class Tally:
    """One endpoint in one second; times in µs. `ok` and `failed` are counts by bucket of the histogram."""

    __slots__ = (
        "bytes",
        "errors",
        "failed",
        "failed_max",
        "failed_min",
        "failed_sum",
        "ok",
        "ok_max",
        "ok_min",
        "ok_sum",
        "phases",
        "slow",
        "untimed",
    )

    def __init__(self, thresholds: int) -> None:
        self.ok: dict[int, int] = {}
        self.ok_sum = 0
        self.ok_min = NEVER
        self.ok_max = 0
        self.failed: dict[int, int] = {}
        self.failed_sum = 0
        self.failed_min = NEVER
        self.failed_max = 0
        self.bytes = 0
        self.slow = [0] * thresholds
        self.errors: dict[str, int] = {}
        self.phases: Phases | None = None
        self.untimed = 0  # events without a time: they are recorded as of none


class Phases:
    """How the requests of a tally came to pass, as far as their client tells; sums in s, `_us` in µs.

    `timed` requests have a time of sending and of waiting for the first byte; `connects` connections were made, which
    is in no request's own time, and `reconnects` of them in place of one that was found closed. `app` and `db` are the
    counts and times by `Server-Timing`, `instances` the answers of each `X-Instance` and how long they were waited for.
    """

    __slots__ = (
        "app",
        "app_us",
        "connect_max_us",
        "connect_s",
        "connects",
        "db",
        "db_us",
        "instances",
        "reconnects",
        "send_s",
        "timed",
        "wait_s",
    )

    def __init__(self) -> None:
        self.send_s = self.wait_s = self.connect_s = 0.0
        self.timed = self.connects = self.connect_max_us = self.reconnects = 0
        self.app = self.app_us = self.db = self.db_us = 0
        self.instances: dict[str, list[float]] = {}

    def add(self, response: Any) -> None:
        """Add a request, by what http.response.LeanResponse tells of it."""
        first_byte = response.first_byte
        if first_byte:
            sent = response.sent
            self.timed += 1
            self.wait_s += first_byte - sent
            self.send_s += sent - response.began
            if response.head.tells:
                self._add_told(response)
        if response.connect_s or response.reconnects:
            self._add_connecting(response)

    def packed(self) -> dict[str, Any]:
        """Return it as a dictionary of recording.Phases' fields."""
        names = ("timed", "connects", "connect_max_us", "reconnects", "app", "app_us", "db", "db_us")
        whole = {"send_us": self.send_s, "wait_us": self.wait_s, "connect_us": self.connect_s}
        told = {name: getattr(self, name) for name in names} | {k: int(s * 1e6) for k, s in whole.items()}
        return told | {
            "instances": {name: count for name, (count, _) in self.instances.items()},
            "instances_us": {name: int(wait_s * 1e6) for name, (_, wait_s) in self.instances.items()},
        }

    def _add_connecting(self, response: Any) -> None:
        connect_s = response.connect_s
        self.connects += response.connects
        self.reconnects += response.reconnects
        self.connect_s += connect_s
        self.connect_max_us = max(self.connect_max_us, int(connect_s * 1e6))
        if response.first_byte:
            self.send_s -= connect_s

    def _add_told(self, response: Any) -> None:
        """Add what the target tells of itself."""
        self._add_server_timing(response.header("server-timing") or "")
        instance = response.header("x-instance")
        if instance is not None:
            instance = _plain(instance)
            own = self.instances.get(instance)
            if own is None:
                if len(self.instances) >= MOST_INSTANCES:
                    return
                own = self.instances[instance] = [0, 0.0]
            own[0] += 1
            own[1] += response.first_byte - response.sent

    def _add_server_timing(self, text: str) -> None:
        """Add what a server says that it took itself (W3C Server Timing): the metrics app and db, in ms."""
        for metric, duration_ms in _SERVER_TIMING.findall(text):
            us = int(float(duration_ms) * 1000)
            if metric == "app":
                self.app += 1
                self.app_us += us
            else:
                self.db += 1
                self.db_us += us


Tallies = dict[tuple[str, str], Tally]


class Recorder:
    """Fills tallies second by second since `begin`, and hands over the seconds that are over."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self.on_over: Callable[[float, Tallies], None] | None = None  # told of each second that is over, by its start
        self.on_failure: Callable[[str, str, Any], None] | None = None
        self.begin(clock(), ())

    def begin(self, zero: float, thresholds_us: tuple[int, ...]) -> None:
        """Forget everything, and count seconds from `zero` on the recorder's clock."""
        self._zero = zero
        self._thresholds = tuple(sorted(thresholds_us))
        self._least = self._thresholds[0] if self._thresholds else NEVER
        self._second = 0
        self._tallies: Tallies = {}
        self._over: list[tuple[int, Tallies]] = []
        self._names: set[tuple[str, str]] = set()
        self._kinds: set[str] = set()
        self.recorded = 0

    def now(self) -> float:
        """Return the seconds since the run's start."""
        return self._clock() - self._zero

    def on_request(  # noqa: PLR0912, PLR0917 - Locust's own names, by keyword; each call would cost all requests
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        response_length: int | None,
        exception: BaseException | None = None,
        response: Any = None,
        **_: Any,
    ) -> None:
        """Record one request that has ended now; `response_time` is in ms. The listener of Locust's event."""
        second = int(self._clock() - self._zero)
        if second != self._second:
            self._turn_to(second)
        self.recorded += 1
        tally = self._tallies.get((request_type, name))
        if tally is None:
            tally = self._new_tally(request_type, name)
        # histogram.bucket_of, written out: a call would cost a third of all this.
        if response_time is None:
            tally.untimed += 1
        us = int(response_time * 1000) if response_time else 0
        if us < EXACT_BELOW:
            bucket = us if us > 0 else 0
        else:
            us = min(us, LONGEST_US)
            shift = us.bit_length() - PRECISION_BITS - 1
            bucket = (shift << PRECISION_BITS) + (us >> shift)
        if getattr(response, "tells_phases", False):
            if tally.phases is None:
                tally.phases = Phases()
            tally.phases.add(response)
        if response_length:
            tally.bytes += int(response_length)  # a user's own event may give a number that cannot be sent
        if exception is not None:
            self._fail(tally, us, bucket, exception, response)
            if self.on_failure is not None:
                self.on_failure(request_type, name, exception)
            return
        counts = tally.ok
        counts[bucket] = counts.get(bucket, 0) + 1
        tally.ok_sum += us
        if us < tally.ok_min:  # noqa: PLR1730 - min() is a call
            tally.ok_min = us
        if us > tally.ok_max:  # noqa: PLR1730
            tally.ok_max = us
        if us >= self._least:
            for index, threshold in enumerate(self._thresholds):
                if us >= threshold:
                    tally.slow[index] += 1

    def take(self, *, everything: bool = False) -> list[tuple[int, Tallies]]:
        """Return the seconds that are over, oldest first, and forget them; with `everything` also the present one."""
        self._turn_to(int(self.now()))
        over, self._over = self._over, []
        if everything and self._tallies:
            over.append(self._close())
        return over

    def _turn_to(self, second: int) -> None:
        if self._tallies and second != self._second:
            self._over.append(self._close())
        self._second = second

    def _close(self) -> tuple[int, Tallies]:
        tallies, self._tallies = self._tallies, {}
        if self.on_over is not None:
            self.on_over(self._zero + self._second, tallies)
        return self._second, tallies

    def _new_tally(self, method: str, name: str) -> Tally:
        key = (_plain(method), _plain(name))
        if key not in self._names:
            if len(self._names) >= MOST_ENDPOINTS:
                key = (OTHERS, OTHERS)
            self._names.add(key)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally(len(self._thresholds))
        return tally

    def _fail(self, tally: Tally, us: int, bucket: int, exception: BaseException, response: Any) -> None:
        counts = tally.failed
        counts[bucket] = counts.get(bucket, 0) + 1
        tally.failed_sum += us
        tally.failed_min = min(tally.failed_min, us)
        tally.failed_max = max(tally.failed_max, us)
        kind = kind_of(exception, response)
        if kind not in self._kinds:
            if len(self._kinds) >= MOST_KINDS:
                kind = OTHERS
            self._kinds.add(kind)
        tally.errors[kind] = tally.errors.get(kind, 0) + 1


def kind_of(exception: BaseException, response: Any = None) -> str:
    """Return what kind of failure it was: a short line, without what differs from request to request."""
    status = getattr(response, "status_code", None)
    if isinstance(exception, CatchResponseError):
        text = str(exception) or "failed"
    elif isinstance(status, int) and status >= 400:
        text = f"HTTP {status}"
    else:
        text = f"{type(exception).__name__}: {exception}".removesuffix(": ")
    first = text.splitlines()[0][: 4 * KIND_LENGTH]
    return _plain(_VARYING.sub("#", first)[:KIND_LENGTH])


def _plain(text: Any) -> str:
    """Return a text that can be sent and written down: a user's own event may name anything, even half a character."""
    return str(text).encode(errors="replace").decode()


def packed(over: list[tuple[int, Tallies]]) -> list[Any]:
    """Return seconds as plain lists, to be sent: [second, [[method, name, ok, failed, bytes, slow, errors, phases]]].

    `ok` and `failed` are [sum, min, max, {bucket: count}], or None of nothing; `phases` is recording.Phases as a
    dictionary, or None.
    """
    return [[second, [_packed(*key, tally) for key, tally in tallies.items()]] for second, tallies in over]


def _packed(method: str, name: str, tally: Tally) -> list[Any]:
    phases = tally.phases.packed() if tally.phases else None
    return [method, name, *_times(tally), tally.bytes, tally.slow, tally.errors, phases]


def _times(tally: Tally) -> tuple[list[Any] | None, list[Any] | None]:
    ok = [tally.ok_sum, tally.ok_min, tally.ok_max, tally.ok] if tally.ok else None
    failed = [tally.failed_sum, tally.failed_min, tally.failed_max, tally.failed] if tally.failed else None
    return ok, failed
