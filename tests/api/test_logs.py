"""Every line on stderr is a JSON object, and a load test does not flood it."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from api.store.outage import Outage
from tests.api.conftest import client_call, make_app
from tests.api.instance import post_item, receive_all, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.mark.parametrize("worker_class", ["gevent", "gthread"])
def test_every_line_is_json_from_start_to_stop(tmp_path: Path, worker_class: str) -> None:
    """gunicorn's own lines too; a request's line carries its id."""
    with running(
        tmp_path, GUNICORN_WORKER_CLASS=worker_class, API_LOG_REQUESTS="all", API_LOG_LEVEL="debug"
    ) as instance:
        instance.call("GET", "/tests", headers={"X-Request-ID": "find-me"})
        post_item(instance.call, "")
        receive_all(instance.raw(b"nonsense\r\n\r\n"))
        instance.stop()
        events = instance.log_events()
    assert all({"event", "level", "logger", "timestamp", "pid"} <= event.keys() for event in events)
    assert any(event["event"].startswith("Starting gunicorn") for event in events)
    [request] = [event for event in events if event.get("request_id") == "find-me"]
    assert (request["method"], request["route"], request["status"]) == ("GET", "/tests", 200)
    assert 422 in [event.get("status") for event in events]
    assert "Traceback" not in instance.log()


def test_by_default_neither_answers_nor_user_mistakes_are_logged(tmp_path: Path) -> None:
    """200, 204, 404 and 422 leave no line."""
    with running(tmp_path) as instance:
        quiet = instance.log()
        for path in ("/tests", "/nothing", "/tests?limit=0"):
            instance.call("GET", path)
        post_item(instance.call, "x")
        post_item(instance.call, "")
        receive_all(instance.raw(b"nonsense\r\n\r\n"))
        assert instance.log() == quiet


def test_a_storm_of_503_is_told_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With how many were left out."""
    call = client_call(make_app(DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/tests.db"))
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with caplog.at_level(logging.INFO):
        for clock[0] in (1000.0, 1000.2, 1000.9, 1001.5):
            assert call("GET", "/tests").status == 503
    requests = [record.msg for record in caplog.records if record.name == "api.request"]
    assert [line.get("left_out") for line in requests if isinstance(line, dict)] == [None, 2]
    assert len([record for record in caplog.records if record.name == "api.store"]) == 1


def test_a_bug_is_logged_with_its_traceback_and_told_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets a 500 problem and the request id to find the cause by."""
    app = make_app(DATABASE_URL=f"sqlite:///{tmp_path}/tests.db")

    def fail(*_: int) -> None:
        raise ZeroDivisionError("our fault")

    monkeypatch.setattr(app.extensions["store"], "page", fail)
    answer = client_call(app)("GET", "/tests", headers={"X-Request-ID": "bug-1"})
    assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.headers["x-request-id"] == "bug-1"
    assert b"our fault" not in answer.body
    [record] = [record for record in caplog.records if record.name == "api"]
    assert isinstance(record.msg, dict)
    assert record.msg["request_id"] == "bug-1"
    assert isinstance(record.msg["exc_info"], ZeroDivisionError)


def test_a_store_that_comes_and_goes_is_told_once_in_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line as it goes and one as it comes back; the flicker after that is left out."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    make_app(API_STORE="memory")  # sets the logs up
    outage = Outage()
    for clock[0] in (0.0, 0.1, 0.2, 9.0, 10.5):
        outage.begins("busy")
        outage.begins("busy")
        outage.ends()
        outage.ends()
    told = [record.msg["event"].split(":")[0] for record in caplog.records if isinstance(record.msg, dict)]
    assert told == ["store away", "store back"] * 2
