"""Runs over HTTP, as a client and as a page of another site see them; a fake conductor leads the runs."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from locust import LoadTestShape

from loadlab import calibrations, plan
from loadlab.analysis.recording import Status
from loadlab.analysis.summarise import summarise
from loadlab.errors import LabError
from loadlab.generator import runs_web
from loadlab.plan import make
from loadlab.runfolder import CALIBRATIONS, RunFolder
from tests import searches
from tests.analysis.test_headroom import calibration
from tests.masters import FakeConductor, Master, begun, finish, kept, live

PLAN = {"users": 200, "spawn_rate": 50, "time_s": 60, "name": "before the release", "workers": 8}
LINE = {
    *("id", "name", "status", "partial", "started", "duration_s", "shape", "workers", "users", "verdict", "validity"),
    *("headline", "exit_code", "requests", "throughput_rps", "p95_ms", "fail_percent", "has_report"),
    "capacity_users",
}
EVIL = "http://evil.example"


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Master]:
    """A master that keeps its runs in a folder of its own."""
    made = Master(tmp_path / "results")
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


@pytest.fixture
def over(conductor: FakeConductor) -> RunFolder:
    """A run that is over and has its report."""
    return kept(conductor.root, 1)[0]


def test_a_run_is_created(client: FlaskClient, conductor: FakeConductor) -> None:
    """The plan goes to the conductor as it was sent, and the id comes back."""
    answer = client.post("/runs", json=PLAN)
    assert (answer.status_code, answer.json) == (201, {"id": conductor.active})
    ((plan, by),) = conductor.plans
    assert (plan, by) == (make(PLAN), "http")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, ["users is missing", "spawn_rate is missing"]),
        (PLAN | {"users": 0}, ["users 0 is not allowed"]),
        (PLAN | {"users": "many"}, ["users many is not allowed"]),
        (PLAN | {"shape": "wave"}, ["shape wave is not allowed", "steady, steps, spike, soak, capacity"]),
        (PLAN | {"shape": "capacity", "slos": []}, ["without a promise there is no capacity"]),
        (PLAN | {"shape": "capacity", "precision_percent": 0}, ["precision_percent 0 is not allowed", "0.5-50"]),
        (PLAN | {"shape": "capacity", "start_users": "few"}, ["start_users few is not allowed"]),
        (PLAN | {"slos": ["p95<450ms", "fast"]}, ["'fast' is not an SLO"]),
        (PLAN | {"colour": "red"}, ["colour is not part of a plan"]),
        (PLAN | {"scenario": "nosuch"}, ["scenario 'nosuch'", "masters"]),
        (PLAN | {"name": "<script>"}, ["name <script> is not allowed"]),
        (PLAN | {"host": "ftp://x"}, ["host ftp://x is not allowed"]),
        (PLAN | {"users": 1_000_000, "spawn_rate": 1}, ["Raise the spawn rate"]),
        ([PLAN], ["not a JSON object"]),
        ("text", ["not a JSON object"]),
    ],
)
def test_a_bad_plan_is_refused_in_words(
    client: FlaskClient, conductor: FakeConductor, body: Any, words: list[str]
) -> None:
    """400, a message that names what is wrong, and no run."""
    answer = client.post("/runs", json=body)
    assert answer.status_code == 400
    assert answer.json is not None
    assert all(word in answer.json["message"] for word in words)
    assert conductor.plans == []


@pytest.mark.parametrize("text", ["", "{", "{'users': 1}", "\xff"])
def test_a_body_that_is_no_json(client: FlaskClient, text: str) -> None:
    """400 with a message, not the page of a framework."""
    answer = client.post("/runs", data=text, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json is not None
    assert "JSON" in answer.json["message"]


def test_a_body_that_is_too_large(client: FlaskClient, conductor: FakeConductor) -> None:
    """No plan needs more than 64 KiB: it is not read."""
    answer = client.post("/runs", json=PLAN | {"slos": ["p95<450ms"] * 10_000})
    assert answer.status_code == 413
    assert answer.json is not None
    assert conductor.plans == []


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", None]
)
def test_what_a_form_can_send_is_no_plan(
    client: FlaskClient, conductor: FakeConductor, content_type: str | None
) -> None:
    """A page of another site may send these without asking: 415, whatever the body says."""
    answer = client.post("/runs", data=json.dumps(PLAN), content_type=content_type)
    assert answer.status_code == 415
    assert conductor.plans == []


def test_one_run_at_a_time(client: FlaskClient, conductor: FakeConductor) -> None:
    """409 that names the run that is on."""
    client.post("/runs", json=PLAN)
    answer = client.post("/runs", json=PLAN)
    assert answer.status_code == 409
    assert answer.json is not None
    assert str(conductor.active) in answer.json["message"]


@pytest.mark.parametrize(("error", "words"), [(LabError("no disk"), "no disk"), (OSError("/secret"), "master's log")])
def test_what_fails_inside_is_told_as_json(
    client: FlaskClient, conductor: FakeConductor, error: Exception, words: str
) -> None:
    """500 with our words of it; what we did not foresee is not spread out before the client."""
    conductor.error = error
    answer = client.post("/runs", json=PLAN)
    assert answer.status_code == 500
    assert answer.json is not None
    assert words in answer.json["message"]
    assert "/secret" not in answer.json["message"]


def test_the_list(client: FlaskClient, conductor: FakeConductor) -> None:
    """Newest first, every field for each run, and which one is on."""
    kept(conductor.root, 2)
    client.post("/runs", json=PLAN)
    document = client.get("/runs").json
    assert document is not None
    assert document["active"] == conductor.active
    assert [run["name"] for run in document["runs"]] == ["before the release", "run 1", "run 0"]
    assert all(set(run) == LINE for run in document["runs"])
    assert [run["verdict"] for run in document["runs"]] == [None, "pass", "pass"]


def test_the_latest_runs(client: FlaskClient, conductor: FakeConductor) -> None:
    """As many as are asked for; what is no number is refused."""
    kept(conductor.root, 3)
    document = client.get("/runs?latest=2").json
    assert document is not None
    assert [run["name"] for run in document["runs"]] == ["run 2", "run 1"]
    for wrong in ("-1", "", "two", "1e3", "\N{ARABIC-INDIC DIGIT THREE}"):
        assert client.get("/runs", query_string={"latest": wrong}).status_code == 400


def test_a_run_that_is_on(client: FlaskClient, conductor: FakeConductor) -> None:
    """Its plan, and how it goes."""
    client.post("/runs", json=PLAN)
    document = client.get(f"/runs/{conductor.active}").json
    assert document is not None
    assert document["live"] == live()
    assert document["plan"] == make(PLAN).model_dump(mode="json")
    assert (document["status"], document["reported"], document["summary"]) == ("running", False, None)
    assert (document["started_by"], document["stopped_by"]) == ("http", None)


def test_a_run_that_is_over(client: FlaskClient, over: RunFolder) -> None:
    """Its summary is that of the file."""
    document = client.get(f"/runs/{over.id}").json
    assert document is not None
    assert (document["status"], document["reported"], document["live"]) == ("finished", True, None)
    assert document["summary"] == json.loads(over.summary.read_bytes())
    assert document["stopped_by"] == "plan"


def test_a_run_is_reported_when_summary_and_page_are_there(client: FlaskClient, over: RunFolder) -> None:
    """Either alone is a report that is being made."""
    over.html.rename(over.path / "later")
    assert client.get(f"/runs/{over.id}").json["reported"] is False  # type: ignore[index]
    (over.path / "later").rename(over.html)
    over.summary.unlink()
    assert client.get(f"/runs/{over.id}").json["reported"] is False  # type: ignore[index]


def test_stop(client: FlaskClient, conductor: FakeConductor, over: RunFolder) -> None:
    """202, and the conductor is told who; a run that is over already is let be."""
    client.post("/runs", json=PLAN)
    active = conductor.active
    answer = client.post(f"/runs/{active}/stop")
    assert (answer.status_code, answer.json) == (202, {"id": active, "status": "running"})
    assert client.post(f"/runs/{over.id}/stop").status_code == 202
    assert conductor.stopped == [(active, "user")]


@pytest.mark.parametrize("path", ["", "/stop", "/files/run.json", "/report", "/archive"])
@pytest.mark.parametrize("run", ["20990101-000000", "..", "%2e%2e", "latest", "a%00b", "-", "%0a"])
def test_an_unknown_run(client: FlaskClient, conductor: FakeConductor, run: str, path: str) -> None:
    """404, and the message names it."""
    kept(conductor.root, 1)
    answer = client.open(f"/runs/{run}{path}", method="POST" if path == "/stop" else "GET")
    assert answer.status_code == 404
    if run == "20990101-000000":
        assert answer.json == {"message": "There is no run '20990101-000000'."}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("run.json", "application/json"),
        ("summary.json", "application/json"),
        ("timeline.jsonl", "application/x-ndjson"),
        ("events.jsonl", "application/x-ndjson"),
        ("report.html", "text/html; charset=utf-8"),
        ("junit.xml", "application/xml"),
        ("notes", "application/octet-stream"),
        ("page.svg", "application/octet-stream"),
    ],
)
def test_files_come_with_their_type(client: FlaskClient, over: RunFolder, name: str, kind: str) -> None:
    """What the folder has, byte for byte, and a browser does not guess at it."""
    file = over.path / name
    if not file.exists():
        file.write_text("<svg onload='x'/>")
    answer = client.get(f"/runs/{over.id}/files/{name}")
    assert (answer.status_code, answer.data, answer.content_type) == (200, file.read_bytes(), kind)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.content_length == file.stat().st_size
    again = client.get(f"/runs/{over.id}/files/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    head = client.head(f"/runs/{over.id}/files/{name}")
    assert (head.status_code, head.content_length, head.data) == (200, file.stat().st_size, b"")


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "..%252fsecret.txt",
        "....//secret.txt",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "link.txt",
        "run.json%00.txt",
        "..%5csecret.txt",
    ],
)
def test_no_other_file_is_handed_out(client: FlaskClient, over: RunFolder, path: str) -> None:
    """However it is written, a way out of the folder leads nowhere."""
    secret = over.path.parent / "secret.txt"
    secret.write_text("secret")
    (over.path / "link.txt").symlink_to(secret)
    answer = client.get(f"/runs/{over.id}/files/{path}")
    assert answer.status_code in (308, 404)
    assert b"secret" not in answer.data.replace(b"secret.txt", b"")
    if answer.status_code == 308:
        assert client.get(answer.headers["Location"]).status_code == 404


def test_a_file_that_is_not_there(client: FlaskClient, over: RunFolder) -> None:
    """404 that names run and file."""
    answer = client.get(f"/runs/{over.id}/files/nosuch.json")
    assert (answer.status_code, answer.json) == (404, {"message": f"Run {over.id} has no file nosuch.json."})


def test_the_report_may_draw_and_nothing_else(client: FlaskClient, over: RunFolder) -> None:
    """Its own script runs, in an origin of its own; nothing is loaded from or sent to anywhere."""
    for path in ("report", "files/report.html"):
        answer = client.get(f"/runs/{over.id}/{path}")
        assert (answer.status_code, answer.data) == (200, over.html.read_bytes())
        assert "Content-Disposition" not in answer.headers
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["script-src"] == "'unsafe-inline'"
        assert "allow-same-origin" not in policy["sandbox"]
        assert "connect-src" not in policy


def test_a_report_that_is_not_made_yet(client: FlaskClient, conductor: FakeConductor) -> None:
    """404 that says so."""
    client.post("/runs", json=PLAN)
    answer = client.get(f"/runs/{conductor.active}/report")
    assert (answer.status_code, answer.json) == (404, {"message": f"Run {conductor.active} has no report yet."})


def test_the_archive(client: FlaskClient, over: RunFolder) -> None:
    """The whole folder, under a name to be kept by."""
    answer = client.get(f"/runs/{over.id}/archive")
    assert (answer.status_code, answer.content_type) == (200, "application/gzip")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{over.id}.tar.gz"'
    with tarfile.open(fileobj=io.BytesIO(answer.data), mode="r:gz") as tar:
        assert sorted(tar.getnames()) == sorted(f"{over.id}/{file.name}" for file in over.path.iterdir())


@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:1", "http://localhost.evil.example"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/runs"), ("GET", "/runs"), ("POST", "/runs/x/stop"), ("GET", "/lab")]
)
def test_pages_of_other_sites_get_nothing(
    client: FlaskClient, conductor: FakeConductor, origin: str, method: str, path: str
) -> None:
    """Neither may they start or stop a run, nor read what Locust would let them read."""
    answer = client.open(path, method=method, json=PLAN if method == "POST" else None, headers={"Origin": origin})
    assert answer.status_code == 403
    assert (conductor.plans, conductor.stopped) == ([], [])


def test_own_pages_and_programs_are_answered(client: FlaskClient) -> None:
    """The page's own origin is no other site."""
    assert client.post("/runs", json=PLAN, headers={"Origin": "http://localhost"}).status_code == 201


def test_a_name_that_is_not_its_own_gets_nothing(client: FlaskClient) -> None:
    """A page that makes its own name stand for this address is refused."""
    assert client.get("/runs", headers={"Host": "evil.example"}).status_code == 403


def test_where_a_login_is_required_it_is_for_these_too(over: RunFolder) -> None:
    """With Locust's --web-login, no route answers before the login."""
    guarded = Master(over.path.parent, web_login=True)
    guarded.app.secret_key = "test"
    client = guarded.app.test_client()
    paths = ["/runs", f"/runs/{over.id}", f"/runs/{over.id}/report", f"/runs/{over.id}/archive", "/lab"]
    for path in [*paths, f"/runs/{over.id}/files/run.json"]:
        answer = client.get(path)
        assert (answer.status_code, over.id.encode() in answer.data) == (302, False) or b"auth" in answer.data
    assert client.post("/runs", json=PLAN).status_code != 201
    assert guarded.conductor.plans == []
    guarded.close()


def test_the_lab_page(client: FlaskClient) -> None:
    """It comes with the master's own options filled in, asks for nothing elsewhere, and runs no inline script."""
    answer = client.get("/lab")
    text = answer.text
    assert answer.status_code == 200
    for part in (
        'value="20"',
        'value="10"',
        "p95&lt;450ms",
        "fail&lt;1%",
        "<option selected>steady",
        "http://shop:8000",
    ):
        assert part in text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "style=" not in text
    assert not [word for word in text.split('"') if word.startswith(("http://", "https://", "//"))]


def test_the_lab_page_has_what_a_search_needs(client: FlaskClient) -> None:
    """The shape, and its own defaults, to be turned to by the page's script."""
    text = client.get("/lab").text
    for part in (
        "<option>capacity</option>",
        f'data-search="{plan.MOST_USERS}"',
        f'data-search="{plan.DEFAULT_TIME_S["capacity"]:g}s"',
        f'name="start_users" inputmode="numeric" value="{plan.START_USERS}"',
        f'name="precision_percent" inputmode="decimal" value="{plan.PRECISION_PERCENT:g}"',
        '<div id="search-fields" class="pair" hidden>',
    ):
        assert part in text


def test_a_search_is_listed_with_its_capacity(client: FlaskClient, conductor: FakeConductor) -> None:
    """The users that were found, beside the throughput that they make."""
    recorded = searches.found()
    client.post("/runs", json=PLAN | {"shape": "capacity"})
    summary = summarise(recorded)
    conductor.end(capacity=summary.capacity, window=summary.window)
    (line,) = client.get("/runs").json["runs"]  # type: ignore[index]
    assert (line["shape"], line["users"], line["capacity_users"]) == ("capacity", 122, 122)


def test_the_lab_page_escapes(master: Master, client: FlaskClient) -> None:
    """What the user's options hold is text on the page, not part of it."""
    master.environment.host = "http://x/<script>alert(1)</script>"
    assert master.environment.parsed_options is not None
    master.environment.parsed_options.run_slo = "</textarea><script>"
    text = client.get("/lab").text
    assert "<script>alert" not in text
    assert "</textarea><script>" not in text


def test_a_users_own_shape_is_named(tmp_path: Path) -> None:
    """The page says who drives the load."""

    class Tides(LoadTestShape):
        def tick(self) -> None:
            """Never begin."""

    master = Master(tmp_path, shape=Tides())
    assert "Tides" in master.app.test_client().get("/lab").text
    master.close()


def test_every_file_of_the_page_is_served(client: FlaskClient) -> None:
    """All that the page and Locust's UI load is there, with the type that a browser wants."""
    kinds = {".js": "javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    files = sorted((runs_web.PAGE / "static").iterdir())
    assert len(files) > 10
    for file in files:
        answer = client.get(f"/lab/static/{file.name}")
        assert (answer.status_code, kinds[file.suffix] in str(answer.content_type)) == (200, True)


def test_hundreds_of_runs(client: FlaskClient, conductor: FakeConductor) -> None:
    """All of them are listed, those without an end too."""
    kept(conductor.root, 150)
    for number in range(50):
        folder = begun(conductor.root, make(PLAN), at=1_700_000_000 + number)
        finish(folder, status=Status.ABORTED, reported=False)
    document = client.get("/runs").json
    assert document is not None
    assert len(document["runs"]) == 200
    assert sum(run["verdict"] is None for run in document["runs"]) == 50


def test_a_master_is_told_what_it_cannot_know(client: FlaskClient, conductor: FakeConductor) -> None:
    """The git revision of the rig, and what calibrations showed whose rig is gone; of each kind the newest counts."""
    old, new = calibration(measured=1.0), calibration(measured=2.0)
    told = {"calibrations": CALIBRATIONS.adapter.dump_python((new,), mode="json")}
    assert client.put("/rig", json={"revision": "abc123"}).status_code == 200
    assert client.put("/rig", json=told).status_code == 200
    assert (conductor.revision, calibrations.kept(conductor.root)) == ("abc123", (new,))
    older = {"calibrations": CALIBRATIONS.adapter.dump_python((old,), mode="json"), "revision": ""}
    assert client.put("/rig", json=older).json == {"revision": None}
    assert calibrations.kept(conductor.root) == (new,)


@pytest.mark.parametrize(
    "told",
    [[1], {"revision": 3}, {"revision": "x" * 101}, {"calibrations": 3}, {"calibrations": [{"run": 1}]}, {"plan": {}}],
)
def test_what_a_master_cannot_be_told(told: Any, client: FlaskClient, conductor: FakeConductor) -> None:
    """It is refused in words, and nothing is kept of it."""
    answer = client.put("/rig", json=told)
    assert answer.status_code == 400
    assert answer.json
    assert "Traceback" not in answer.json["message"]
    assert (conductor.revision, calibrations.kept(conductor.root)) == (None, ())
