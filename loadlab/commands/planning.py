"""What the flags of `./lab run` say, made into a plan: flags over the environment over .env over defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from loadlab import plan as plans
from loadlab.analysis import slo
from loadlab.errors import UsageError
from loadlab.plan import RunPlan
from loadlab.rig.settings import RigSettings, load

# What a plan's own checks call a field, and what the user typed.
FLAGS = {
    "time_s": "--time",
    "shape": "--shape",
    "name": "--name",
    "host": "--host",
    "start_users": "--from",
    "precision_percent": "--precision",
}
MOST_USERS = str(plans.MOST_USERS)  # a search need not know of USERS: that is the load of a run


@dataclass(frozen=True)
class Asked:
    """The flags as they were typed; None where one was not given."""

    workers: str | None = None
    users: str | None = None
    spawn_rate: str | None = None
    time: str | None = None
    shape: str | None = None
    slos: tuple[str, ...] = ()
    scenario: str | None = None
    name: str | None = None
    host: str | None = None
    start_users: str | None = None
    precision: str | None = None
    engine: str = "auto"
    as_json: bool = False
    keep: bool = False


def make(asked: Asked) -> RunPlan:
    """Return the checked plan.

    Raises:
        UsageError: names each bad value by its flag or knob, what is allowed and what to do.
    """
    knobs = {"workers": asked.workers, "users": asked.users, "spawn_rate": asked.spawn_rate, "scenario": asked.scenario}
    chosen = load(knobs)
    values: dict[str, Any] = {
        "users": chosen.users,
        "spawn_rate": chosen.spawn_rate,
        "time_s": None if asked.time is None else _seconds(asked.time),
        "shape": asked.shape,
        "slos": asked.slos or slo.split(chosen.slo),
        "scenario": chosen.scenario,
        "workers": chosen.workers,
        "name": asked.name,
        "host": asked.host or chosen.target_host,
        "start_users": asked.start_users,
        "precision_percent": asked.precision and asked.precision.removesuffix("%"),
    }
    try:
        return plans.make(values)
    except UsageError as error:
        raise UsageError("\n".join(_as_typed(line) for line in str(error).splitlines())) from None


def check_reachable(host: str | None, engine: str, settings: RigSettings) -> None:
    """Refuse a target that containers without a way out could not reach.

    Raises:
        UsageError: says how to let them out.
    """
    name = urlsplit(host or "").hostname or ""
    if engine == "compose" and settings.load_internal and ("." in name or ":" in name):
        raise UsageError(
            f"--host {host} is outside of the workers' network, which has no way out: set LOAD_INTERNAL=false. "
            "A rig that is up has to be taken down first."
        )


def _seconds(text: str) -> float:
    try:
        return plans.parse_span(text)
    except UsageError as error:
        raise UsageError(f"--time: {error}") from None


def _as_typed(line: str) -> str:
    field, _, rest = line.partition(" ")
    return f"{FLAGS.get(field, field)} {rest}"
