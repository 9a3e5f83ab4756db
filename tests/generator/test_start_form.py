"""Locust's own start form with our fields: what becomes of it, and how a bad one is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from locust import LoadTestShape
from locust.argument_parser import LocustArgumentParser
from locust.runners import STATE_RUNNING, STATE_SPAWNING, STATE_STOPPING

from loadlab import plan
from loadlab.analysis import slo
from loadlab.generator import start_form
from loadlab.generator.load_shape import PlanShape
from tests.masters import FakeConductor, Master

FORM = {
    "user_count": "200",
    "spawn_rate": "50",
    "host": "http://shop:8000",
    "run_time": "",
    "run_shape": "steady",
    "run_slo": "p95<450ms, fail<1%",
    "run_name": "",
    "scenario": "masters",
    "profile": "",
}


class Tides(LoadTestShape):
    """A user's own shape, which never begins."""

    def tick(self) -> None:
        """Say that it is over."""


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Master]:
    """A master whose runner starts nothing."""
    made = Master(tmp_path)
    made.runner.start = lambda *_, **__: None  # type: ignore[method-assign]
    yield made
    made.close()


@pytest.fixture
def client(master: Master) -> FlaskClient:
    """A client of its web UI."""
    return master.app.test_client()


@pytest.fixture
def conductor(master: Master) -> FakeConductor:
    """Who leads its runs."""
    return master.conductor


def swarm(client: FlaskClient, **changes: str | None) -> dict[str, Any]:
    """Press start with the form changed so, a field that is None left out, and return the answer."""
    form = {name: value for name, value in (FORM | changes).items() if value is not None}
    answer = client.post("/swarm", data=form)
    assert answer.status_code == 200  # of anything else, Locust's page shows no message
    assert isinstance(answer.json, dict)
    return answer.json


def test_the_shapes_are_those_of_a_plan() -> None:
    """Written down twice, since workers have the options but not the plans."""
    assert start_form.SHAPES == plan.SHAPES


@pytest.mark.parametrize(("environment", "promises"), [({}, ", ".join(slo.DEFAULTS)), ({"SLO": "p99<1s"}, "p99<1s")])
def test_the_options(environment: dict[str, str], promises: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust's form proposes steady, the rig's SLOs and no name; its --help can be printed."""
    monkeypatch.delenv("SLO", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    parser = LocustArgumentParser()
    start_form.add_options(parser)
    options = parser.parse_args([])
    assert (options.run_shape, options.run_slo, options.run_name) == ("steady", promises, "")
    assert set(parser.args_included_in_web_ui) >= {"run_shape", "run_slo", "run_name"}
    assert "p95<450ms" in parser.format_help()


def test_the_form_becomes_a_plan(client: FlaskClient, conductor: FakeConductor) -> None:
    """Every field of it; and Locust goes on to start, without a timer of its own."""
    answer = swarm(client, run_shape="steps", run_time="1m30s", run_slo="p99<1s,rps>100", run_name="night")
    assert answer["success"] is True
    (values,) = conductor.prepared
    assert plan.make(values, endless=True) == plan.make(
        {
            "users": 200, "spawn_rate": 50, "time_s": 90, "shape": "steps", "slos": ["p99<1s", "rps>100"],
            "scenario": "masters", "name": "night", "host": "http://shop:8000",
        }
    )  # fmt: skip


def test_a_steady_run_without_a_time_has_no_end(client: FlaskClient, conductor: FakeConductor) -> None:
    """As Locust's own form means it."""
    assert swarm(client)["success"] is True
    (values,) = conductor.prepared
    assert plan.make(values, endless=True).time_s is None


def test_fields_that_are_left_out_are_as_they_were(client: FlaskClient, conductor: FakeConductor) -> None:
    """A program that posts users and spawn rate alone gets the last choices."""
    swarm(client, run_shape="spike", run_name="one")
    swarm(client, run_shape=None, run_slo=None, run_name=None, scenario=None, host=None, run_time=None)
    first, second = conductor.prepared
    assert second == first | {"host": "http://shop:8000"}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("user_count", "0", "Number of users 0 is not allowed"),
        ("user_count", "", "Number of users is missing"),
        ("user_count", "1.5", "Number of users 1.5 is not allowed"),
        ("spawn_rate", "0", "Ramp up 0 is not allowed"),
        ("spawn_rate", "nan", "Ramp up nan is not allowed"),
        ("spawn_rate", "0.01", "Raise the spawn rate"),
        ("run_time", "5 parsecs", "'5 parsecs' is not a time"),
        ("run_time", "0", "Run time 0.0 is not allowed"),
        ("run_shape", "wave", "shape wave is not allowed"),
        ("run_slo", "fast", "'fast' is not an SLO"),
        ("run_name", "a/b", "Run Name a/b is not allowed"),
        ("scenario", "nosuch", "Unknown scenario 'nosuch': choose one of "),
        ("host", "shop", "Host shop is not allowed"),
    ],
)
def test_a_bad_form_is_refused_in_its_own_words(
    client: FlaskClient, conductor: FakeConductor, field: str, value: str, words: str
) -> None:
    """In the way of Locust's own errors, on one line, with the label of the field; nothing is started."""
    answer = swarm(client, **{field: value})
    assert answer["success"] is False
    assert words in answer["message"]
    assert "\n" not in answer["message"]
    assert conductor.prepared == []


def test_all_that_is_wrong_is_said_at_once(client: FlaskClient) -> None:
    """Not one after the other."""
    message = swarm(client, user_count="0", run_slo="fast")["message"]
    assert "Number of users 0" in message
    assert "'fast'" in message


def test_while_a_run_is_not_over_there_is_no_other(client: FlaskClient, conductor: FakeConductor) -> None:
    """The last reports come in, though Locust would start already."""
    conductor.active = "20251009-085320"
    answer = swarm(client)
    assert answer["success"] is False
    assert conductor.active in answer["message"]


@pytest.mark.parametrize(("state", "plans"), [(STATE_SPAWNING, 0), (STATE_RUNNING, 0), (STATE_STOPPING, 1)])
def test_an_edit_of_a_running_test_is_none_of_ours(
    master: Master, client: FlaskClient, conductor: FakeConductor, state: str, plans: int
) -> None:
    """The same form changes the number of users while they run: no plan is made, none is refused."""
    master.runner.state = state
    swarm(client, run_name="b/a" if not plans else "")
    assert len(conductor.prepared) == plans


def test_a_users_own_shape_wins(tmp_path: Path) -> None:
    """Locust posts zeros from the fields that it has disabled; name and SLOs count, the load is the shape's."""
    master = Master(tmp_path, shape=Tides())
    master.runner.start_shape = lambda: None  # type: ignore[method-assign]
    answer = swarm(
        master.app.test_client(), user_count="0", spawn_rate="0", run_shape="spike", run_name="tides", run_time="1h"
    )
    assert answer["success"] is True
    (values,) = master.conductor.prepared
    assert (values["name"], values["slos"]) == ("tides", ("p95<450ms", "fail<1%"))
    assert not {"shape", "time_s"} & set(values)
    assert start_form.own_shape(master.environment) == "Tides"
    master.close()


def test_our_own_shape_is_none_of_the_users(master: Master) -> None:
    """The shape that drives a plan does not lock the form."""
    master.environment.shape_class = PlanShape(plan.make({"users": 1, "spawn_rate": 1}))
    assert start_form.own_shape(master.environment) is None


def test_another_site_starts_nothing(client: FlaskClient, conductor: FakeConductor) -> None:
    """The form is posted by any page that likes to: it is refused before it is read."""
    answer = client.post("/swarm", data=FORM, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert conductor.prepared == []
