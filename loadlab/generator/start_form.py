"""Locust's own start form: our fields in it, and the plan that it asks for.

The fields are options of Locust's command line too. Workers have them as well, so this imports nothing that is heavy:
the check of a plan costs a process 14 MB.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadlab.analysis import slo
from loadlab.errors import UsageError
from loadlab.generator import scenarios

SHAPES = ("steady", "steps", "spike", "soak", "capacity")  # those of loadlab.plan
_LABELS = {
    "users": "Number of users",
    "spawn_rate": "Ramp up",
    "time_s": "Run time",
    "name": "Run Name",
    "host": "Host",
}


def add_options(parser: LocustArgumentParser) -> None:
    """Add `--run-shape`, `--run-slo` and `--run-name`, which the form shows as custom parameters."""
    parser.add_argument(
        "--run-shape",
        choices=SHAPES,
        default=SHAPES[0],
        help="steady: all users; steps: up in five; spike: a fifth, all, a fifth; soak: all users, for long; "
        "capacity: search for the most users that keep what is promised, no more than those, within the run time",
    )
    parser.add_argument(
        "--run-slo",
        default=os.environ.get("SLO") or ", ".join(slo.DEFAULTS),
        help="What is promised, separated by commas, such as p95<450ms, POST /tests: p99<800ms",
    )
    parser.add_argument("--run-name", default="", help="What the run is called in the list of runs")


def own_shape(environment: Environment) -> str | None:
    """Return the name of the LoadTestShape of the user's own files, which then drives every run; None without one."""
    shape = environment.shape_class
    if shape is None or type(shape).__module__.startswith("loadlab."):
        return None
    return type(shape).__name__


def plan_values(form: Mapping[str, str], environment: Environment) -> dict[str, Any]:
    """Return the values of a RunPlan that the form asks for, checked; a field that it lacks is as it was last.

    Raises:
        UsageError: names each bad value, what is allowed and what to do.
    """
    from loadlab import plan  # not on workers, see above

    options = vars(environment.parsed_options) if environment.parsed_options else {}

    def asked(field: str) -> str:
        return str(form.get(field, options.get(field) or "")).strip()

    scenario = asked("scenario") or None
    if scenario and scenario not in (known := scenarios.available()):
        raise UsageError(f"Unknown scenario {scenario!r}: choose one of {', '.join(known)}.")
    values: dict[str, Any] = {
        "scenario": scenario,
        "slos": slo.split(asked("run_slo")),
        "name": asked("run_name"),
        "host": form.get("host", environment.host or "").strip() or None,
        **_load(form, environment, asked),
    }
    try:
        plan.make(values, endless=True)
    except UsageError as error:
        raise UsageError(_in_words_of_the_form(str(error))) from None
    return {name: value for name, value in values.items() if value is not None}


def _load(form: Mapping[str, str], environment: Environment, asked: Callable[[str], str]) -> dict[str, Any]:
    """Return how many users come and go when; of a user's own shape, which decides that itself, nothing is asked."""
    from loadlab import plan

    if own_shape(environment):
        options = environment.parsed_options
        return {
            "users": getattr(options, "num_users", None) or 1,
            "spawn_rate": getattr(options, "spawn_rate", None) or 1,
        }
    run_time = form.get("run_time", "").strip()
    return {
        "users": form.get("user_count", "").strip() or None,
        "spawn_rate": form.get("spawn_rate", "").strip() or None,
        "time_s": plan.parse_span(run_time) if run_time else None,
        "shape": asked("run_shape") or SHAPES[0],
    }


def _in_words_of_the_form(message: str) -> str:
    """Return a message about a plan on one line, with the labels that the form has for its values."""
    for value, label in _LABELS.items():
        message = re.sub(rf"(?m)^{value} ", f"{label} ", message)
    return message.replace("\n", " ")
