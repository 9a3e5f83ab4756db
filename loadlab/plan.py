"""The plan of a run: what is asked for, checked whole before anything starts, however it was asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from loadlab.analysis import slo
from loadlab.analysis.wording import many
from loadlab.errors import UsageError

SHAPES = ("steady", "steps", "spike", "soak", "capacity")
DEFAULT_TIME_S = {"steady": 60.0, "steps": 150.0, "spike": 120.0, "soak": 1800.0, "capacity": 360.0}
MOST_USERS = 10_000  # of a search for the capacity where nobody says how many; this and the next two
START_USERS = 10
PRECISION_PERCENT = 3.0
STEPS = 5
# A spike: a fifth of the users, then all of them, then a fifth again; the shares of the time that each is held.
SPIKE_BASE = 0.2
SPIKE_HOLDS = (0.4, 0.2, 0.4)
LONGEST_RAMP_S = 3600.0
URL = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"

_SPAN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


@dataclass(frozen=True, slots=True)
class Step:
    """Go to so many users at so many per second, then hold them for so long; None: until someone stops the run."""

    users: int
    spawn_rate: float
    hold_s: float | None


def parse_span(text: str) -> float:
    """Return the seconds of a time such as 90, 90s, 2m, 1h30m.

    Raises:
        UsageError: names the text and what is allowed.
    """
    match = _SPAN.fullmatch(text.strip())
    if not text.strip() or not match or not any(match.groups()):
        raise UsageError(f"{text!r} is not a time. Write seconds, or such as 90s, 2m, 1h30m.")
    hours, minutes, seconds = (float(group or 0) for group in match.groups())
    return hours * 3600 + minutes * 60 + seconds


class RunPlan(BaseModel):
    """One run. `time_s` is how long the load is held once its users are there: ramps come on top.

    None for `time_s` is without end, which only steady can be. `workers` is how many must be ready, exactly, before it
    starts; None takes those that are there. `host` is the target, None the rig's own. With `calibrates`, the URL of a
    target, `host` is a null target that gives that one's answers, and users do not wait between their tasks. The rest
    of the rig's Locust options are none of a plan's business.

    Of a search for the capacity `users` is the most that it may try, from `start_users` on, `time_s` the most that all
    of it may take, and `spawn_rate` the least: a step's users are started within seconds. It ends when the users that
    held the promises and those that broke them are within `precision_percent`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: int = Field(ge=1, le=1_000_000, description="a whole number of users, 1-1000000")
    spawn_rate: float = Field(gt=0, le=10_000, description="users started per second, above 0, up to 10000")
    time_s: float | None = Field(None, ge=1, le=30 * 86_400, description="1 s to 30 days")
    shape: Literal["steady", "steps", "spike", "soak", "capacity"] = Field("steady", description=", ".join(SHAPES))
    slos: tuple[str, ...] = Field(slo.DEFAULTS, description=slo.GRAMMAR)
    start_users: int = Field(START_USERS, ge=1, le=1_000_000, description="a whole number of users, 1-1000000")
    precision_percent: float = Field(PRECISION_PERCENT, ge=0.5, le=50, description="a percentage, 0.5-50")
    scenario: str | None = Field(None, description="the name of a scenario")
    workers: int | None = Field(None, ge=1, le=200, description="a whole number of workers, 1-200")
    name: str = Field("", pattern=r"^[\w .,()+=-]{0,60}$", description="up to 60 letters, digits and . , ( ) + = - _")
    host: str | None = Field(None, pattern=URL, description="an http:// or https:// URL without user, query")
    calibrates: str | None = Field(None, pattern=URL, description="an http:// or https:// URL without user, query")

    @field_validator("slos")
    @classmethod
    def _readable(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            slo.parse(text)
        return tuple(dict.fromkeys(text.strip() for text in texts))

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.shape == "capacity":
            if not self.slos:
                raise ValueError("slos is empty: without a promise there is no capacity. Give one, such as p95<450ms")
            return self
        ramp_s = self.users / self.spawn_rate
        if ramp_s > LONGEST_RAMP_S:
            raise ValueError(
                f"{many(self.users, 'user')} at {self.spawn_rate:g} per second take {ramp_s:.0f} s to start: "
                f"at most {LONGEST_RAMP_S:.0f} s are allowed. Raise the spawn rate"
            )
        return self

    @property
    def parsed_slos(self) -> tuple[slo.Slo, ...]:
        """Return the promises, read."""
        return tuple(slo.parse(text) for text in self.slos)

    def steps(self) -> tuple[Step, ...]:
        """Return what the load does, in order."""
        users, rate, time_s = self.users, self.spawn_rate, self.time_s
        if self.shape == "steps":
            held = (time_s or 0) / STEPS
            counts = dict.fromkeys(math.ceil(users * number / STEPS) for number in range(1, STEPS + 1))
            return tuple(Step(count, rate, held) for count in counts)
        if self.shape == "spike":
            base = max(1, round(users * SPIKE_BASE))
            holds = [share * (time_s or 0) for share in SPIKE_HOLDS]
            return tuple(Step(count, rate, held) for count, held in zip((base, users, base), holds, strict=True))
        if self.shape == "capacity":
            return ()  # each step follows from the last one
        return (Step(users, rate, time_s),)

    def planned_s(self) -> float | None:
        """Return how long the load takes in all, ramps included; None without an end."""
        if self.shape == "capacity":
            return self.time_s
        total, before = 0.0, 0
        for step in self.steps():
            if step.hold_s is None:
                return None
            total += abs(step.users - before) / step.spawn_rate + step.hold_s
            before = step.users
        return total


def make(values: Mapping[str, Any], *, endless: bool = False) -> RunPlan:
    """Check what was asked for and return the plan; unless it may be endless, a time that is missing is the shape's.

    Raises:
        UsageError: names each bad value, what is allowed and what to do.
    """
    given = {name: value for name, value in values.items() if value is not None}
    shape = given.get("shape", "steady")
    if "time_s" not in given and not (endless and shape == "steady"):
        given["time_s"] = DEFAULT_TIME_S.get(str(shape))
    try:
        return RunPlan.model_validate(given)
    except ValidationError as error:
        raise UsageError("\n".join(_explain(item) for item in error.errors())) from None


def _explain(item: Any) -> str:
    cause = item.get("ctx", {}).get("error")
    if cause is not None:  # our own words
        return f"{cause}." if not str(cause).endswith(".") else str(cause)
    field = str(item["loc"][0])
    if item["type"] == "extra_forbidden":
        return f"{field} is not part of a plan. Allowed: {', '.join(RunPlan.model_fields)}."
    if item["type"] == "missing":
        return f"{field} is missing. Allowed: {RunPlan.model_fields[field].description}."
    return f"{field} {item['input']} is not allowed. Allowed: {RunPlan.model_fields[field].description}."
