"""Two runs compared over HTTP: in a process of its own, under the guards of all pages, never beside a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from loadlab.errors import LabError
from loadlab.generator import aftermath
from loadlab.runfolder import RunFolder
from tests import pairs
from tests.masters import Master
from tests.report import folders

A, B, OTHER = "20251009-000001", "20251009-000002", "20251009-000003"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Master]:
    """A master that has two runs of one plan, and one of another."""
    for seed, users in ((1, 50), (2, 50), (3, 40)):
        recording = pairs.recorded(seed, users=users)
        folders.write(recording, tmp_path / "results").write_summary(pairs.measured(recording).summary)
    made = Master(tmp_path / "results")
    yield made
    made.close()


@pytest.fixture
def client(master: Master) -> FlaskClient:
    """A client of its web UI."""
    return master.app.test_client()


def test_two_runs_are_compared(client: FlaskClient) -> None:
    """The page, made by another process, with the policy of the reports: it may draw and nothing else."""
    answer = client.get(f"/runs/compare?a={A}&b={B}", headers=HTML)
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert b"NO SIGNIFICANT DIFFERENCE" in answer.data
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert "allow-same-origin" not in policy["sandbox"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


def test_runs_that_were_not_run_alike(client: FlaskClient) -> None:
    """409: a program gets the reason, a person a page with it and the way on."""
    answer = client.get(f"/runs/compare?a={A}&b={OTHER}")
    assert answer.status_code == 409
    assert answer.json is not None
    assert "plan: users: 50 in A, 40 in B" in answer.json["message"]
    page = client.get(f"/runs/compare?a={A}&b={OTHER}", headers=HTML)
    assert (page.status_code, page.content_type) == (409, "text/html; charset=utf-8")
    assert "<li>  plan: users: 50 in A, 40 in B</li>" in page.text
    assert f'href="/runs/compare?a={A}&amp;b={OTHER}&amp;force=1"' in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    forced = client.get(f"/runs/compare?a={A}&b={OTHER}&force=1", headers=HTML)
    assert (forced.status_code, b"not run alike" in forced.data) == (200, True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], list[str], bool]]:
    """What was asked to be compared, and no process is started."""
    calls: list[tuple[list[str], list[str], bool]] = []

    def compare(a: list[RunFolder], b: list[RunFolder], *, force: bool) -> bytes:
        calls.append(([one.id for one in a], [one.id for one in b], force))
        return b"<p>the page</p>"

    monkeypatch.setattr(aftermath, "compare", compare)
    return calls


def test_several_runs_a_side(client: FlaskClient, asked: list[object]) -> None:
    """With commas between, each once."""
    assert client.get(f"/runs/compare?a={A},{OTHER},{A}&b={B}").data == b"<p>the page</p>"
    assert asked == [([A, OTHER], [B], False)]


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("", 400, "a is missing"),
        (f"a={A}", 400, "b is missing"),
        (f"a={A}&b=,", 400, "b is missing"),
        (f"a={A}&b={A}", 400, f"Run {A} is on both sides"),
        (f"a={A}&b=20990101-000000", 404, "There is no run '20990101-000000'."),
        (f"a={A}&b=..", 404, "There is no run '..'."),
        (f"a={A}&b=../../etc", 404, "There is no run"),
        (f"a=-rf&b={B}", 404, "There is no run '-rf'."),
        (f"a=--force&b={B}", 404, "There is no run '--force'."),
    ],
)
def test_what_is_no_run_is_refused(client: FlaskClient, asked: list[object], query: str, code: int, said: str) -> None:
    """In words, before anything is started."""
    answer = client.get(f"/runs/compare?{query}")
    assert answer.status_code == code
    assert answer.json is not None
    assert said in answer.json["message"]
    assert asked == []


def test_not_beside_a_run(client: FlaskClient, master: Master, asked: list[object]) -> None:
    """409: it would take CPU from what is being measured."""
    client.post("/runs", json={"users": 2, "spawn_rate": 1, "time_s": 60})
    answer = client.get(f"/runs/compare?a={A}&b={B}")
    assert answer.status_code == 409
    assert answer.json is not None
    assert str(master.conductor.active) in answer.json["message"]
    assert asked == []


def test_what_fails_is_told(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 with our words of it."""

    def fail(*_sides: object, force: bool) -> bytes:
        raise LabError(f"it could not be made, {force}")

    monkeypatch.setattr(aftermath, "compare", fail)
    answer = client.get(f"/runs/compare?a={A}&b={B}", headers=HTML)
    assert (answer.status_code, answer.json) == (500, {"message": "it could not be made, False"})


def test_the_guards_of_the_other_pages(client: FlaskClient, master: Master, asked: list[object]) -> None:
    """Pages of other sites, other names of this address, and those who are not logged in get nothing."""
    path = f"/runs/compare?a={A}&b={B}"
    assert client.get(path, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 403
    guarded = Master(master.conductor.root, web_login=True)
    guarded.app.secret_key = "test"
    answer = guarded.app.test_client().get(path)
    guarded.close()
    assert answer.status_code == 302 or b"auth" in answer.data
    assert asked == []


def test_a_folder_that_cannot_be_read(master: Master) -> None:
    """An error in one line, not a page and not a refusal that a force would help."""
    folder = RunFolder(master.conductor.root / A)
    (folder.path / "run.json").write_text("{")
    with pytest.raises(LabError, match=r"run\.json cannot be read") as caught:
        aftermath.compare([folder], [RunFolder(master.conductor.root / B)])
    assert not isinstance(caught.value, aftermath.RefusedError)
