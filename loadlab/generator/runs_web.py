"""Runs over HTTP: start, watch, list, stop and download them, and the Lab page that does so for people.

Every answer but the files and the page is JSON; an error has its reason in `message`.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from locust.env import Environment
from locust.web import WebUI
from pydantic import ValidationError
from werkzeug.exceptions import Conflict, HTTPException, NotFound, UnsupportedMediaType
from werkzeug.http import http_date

from loadlab import calibrations, plan
from loadlab.analysis import slo
from loadlab.errors import LabError, UsageError
from loadlab.generator import aftermath, run_files, scenarios, start_form
from loadlab.generator.conductor import BusyError
from loadlab.generator.run_list import RunList
from loadlab.plan import RunPlan
from loadlab.runfolder import CALIBRATIONS, SUMMARY, RunFolder

PAGE = Path(__file__).resolve().parent / "lab_page"
MOST_BYTES = 64 * 1024  # of a plan
MOST_BYTES_TOLD = 1024 * 1024
LONGEST_REVISION = 100
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The report's charts are drawn by a script within it. It may not ask for anything, here or elsewhere, and has, by
# "sandbox", an origin of its own: what a target's names and errors might smuggle into it could not use this master.
REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

logger = logging.getLogger(__name__)
Guard = Callable[[Callable[..., ResponseReturnValue]], Callable[..., ResponseReturnValue]]


class Conductor(Protocol):
    """What is asked of the one who leads runs; see loadlab.generator.conductor."""

    revision: str | None

    @property
    def root(self) -> Path:
        """Return where run folders live."""

    @property
    def active(self) -> str | None:
        """Return the id of the run that is not over yet."""

    def start(self, plan: RunPlan, *, by: str) -> str:
        """Start a run and return its id."""

    def stop(self, run_id: str, *, by: str) -> None:
        """Stop a run."""

    def live(self, run_id: str) -> dict[str, Any] | None:
        """Return how a run is going, None when it is not active."""

    def prepare(self, values: dict[str, Any]) -> None:
        """Have the next start by Locust's own button follow this plan."""


class Runs:
    """What the routes do."""

    def __init__(self, environment: Environment, conductor: Conductor) -> None:
        self._environment = environment
        self._conductor = conductor
        self._list = RunList(conductor.root)

    def create(self) -> ResponseReturnValue:
        """Start a run of the plan in the body."""
        made = plan.make(_object("the fields of a plan", MOST_BYTES))
        if made.scenario is not None and made.scenario not in (known := scenarios.available()):
            raise UsageError(f"scenario {made.scenario!r} is not known: choose one of {', '.join(known)}.")
        return _json({"id": self._conductor.start(made, by="http")}), 201

    def be_told(self) -> ResponseReturnValue:
        """Take what the host of the rig knows and the master cannot: the git revision, earlier calibrations."""
        told = _object("revision, calibrations, or both", MOST_BYTES_TOLD)
        revision = told.get("revision", self._conductor.revision)
        if unknown := told.keys() - {"revision", "calibrations"}:
            raise UsageError(f"{', '.join(sorted(unknown))}: not known. Allowed: revision, calibrations.")
        if not isinstance(revision, str | None) or len(revision or "") > LONGEST_REVISION:
            raise UsageError(f"revision is not a text of at most {LONGEST_REVISION} characters.")
        try:
            calibrations.add(self._conductor.root, CALIBRATIONS.adapter.validate_python(told.get("calibrations", ())))
        except ValidationError as error:
            raise UsageError(
                f"calibrations are not as calibration.json has them: {error.errors()[0]['msg']}."
            ) from None
        self._conductor.revision = revision or None
        return _json({"revision": self._conductor.revision})

    def index(self) -> ResponseReturnValue:
        """List all runs, newest first, or with `?latest=N` the first N of them."""
        latest = request.args.get("latest")
        if latest is not None and not re.fullmatch(r"[0-9]{1,9}", latest):
            raise UsageError(f"latest={latest} is not a number of runs.")
        active = self._conductor.active
        return _json({"active": active, "runs": self._list.lines(active, int(latest) if latest else None)})

    def show(self, run: str) -> ResponseReturnValue:
        """Tell all about one run: its plan, how it is going, what it gave."""
        folder = self._folder(run)
        recorded = folder.read_run()
        summary = folder.read_summary()
        return _json(
            {
                "id": run,
                "status": recorded.status.value,
                "plan": recorded.plan,
                "started_by": recorded.started_by,
                "stopped_by": recorded.stopped_by,
                "reported": summary is not None and folder.html.is_file(),
                "live": self._conductor.live(run),
                "summary": SUMMARY.adapter.dump_python(summary, mode="json") if summary else None,
            }
        )

    def stop(self, run: str) -> ResponseReturnValue:
        """Stop a run; one that has ended already is let be."""
        folder = self._folder(run)
        if self._conductor.active == run:
            self._conductor.stop(run, by="user")
        return _json({"id": run, "status": folder.read_run().status.value}), 202

    def file(self, run: str, name: str) -> ResponseReturnValue:
        """Hand out a file of a run's folder."""
        self._folder(run)
        stream = run_files.open_file(self._conductor.root, run, name)
        if stream is None:
            raise NotFound(f"Run {run} has no file {name}.")
        response = _file_response(stream, name)
        response.call_on_close(stream.close)
        return response.make_conditional(request)

    def report(self, run: str) -> ResponseReturnValue:
        """Show the report."""
        if not self._folder(run).html.is_file():
            raise NotFound(f"Run {run} has no report yet.")
        return self.file(run, "report.html")

    def archive(self, run: str) -> ResponseReturnValue:
        """Hand out the whole folder."""
        self._folder(run)
        response = Response(run_files.archive(self._conductor.root, run), mimetype="application/gzip")
        response.headers["Content-Disposition"] = f'attachment; filename="{run}.tar.gz"'
        return response

    def compare(self) -> ResponseReturnValue:
        """Show how `?a=` and `?b=` differ, each a run or several with commas between; `&force=1` whatever they are."""
        a, b = (self._side(name) for name in ("a", "b"))
        if twice := {one.id for one in a} & {one.id for one in b}:
            raise UsageError(f"Run {min(twice)} is on both sides: choose two different runs.")
        active = self._conductor.active
        if active is not None:
            raise BusyError(f"Run {active} is on: to compare others now would disturb it. Wait for its end.")
        try:
            return _page(aftermath.compare(a, b, force=request.args.get("force") == "1"), REPORT_POLICY)
        except aftermath.RefusedError as refusal:
            if request.accept_mimetypes.best_match(["application/json", "text/html"]) != "text/html":
                return _json({"message": str(refusal)}), Conflict.code
            anyway = f"/runs/compare?{urlencode({**request.args.to_dict(), 'force': '1'})}"
            refused = render_template("refused.html", lines=str(refusal).splitlines(), anyway=anyway)
            return _page(refused.encode(), PAGE_POLICY), Conflict.code

    def _side(self, name: str) -> list[RunFolder]:
        ids = [each for each in request.args.get(name, "").split(",") if each]
        if not ids:
            raise UsageError(f"{name} is missing: /runs/compare?a=RUN&b=RUN names two runs.")
        return [self._folder(each) for each in dict.fromkeys(ids)]

    def page(self) -> ResponseReturnValue:
        """Show the Lab page."""
        options = vars(self._environment.parsed_options) if self._environment.parsed_options else {}
        return _page(
            render_template(
                "lab.html",
                users=options.get("num_users") or 10,
                spawn_rate=options.get("spawn_rate") or 10,
                time_s=options.get("run_time") or 60,
                most_users=plan.MOST_USERS,
                search_s=f"{plan.DEFAULT_TIME_S['capacity']:g}",
                start_users=plan.START_USERS,
                precision_percent=plan.PRECISION_PERCENT,
                shape=options.get("run_shape"),
                shapes=start_form.SHAPES,
                own_shape=start_form.own_shape(self._environment),
                scenario=options.get("scenario"),
                scenarios=scenarios.available(),
                slos=slo.split(options.get("run_slo") or ", ".join(slo.DEFAULTS)),
                host=self._environment.host or "",
            ).encode(),
            PAGE_POLICY,
        )

    def _folder(self, run: str) -> RunFolder:
        if not run_files.is_run(self._conductor.root, run):
            raise NotFound(f"There is no run {run!r}.")
        return RunFolder(self._conductor.root / run)


def attach(environment: Environment, web_ui: WebUI, conductor: Conductor, is_own: Callable[[str], bool]) -> None:
    """Add the routes to a master's web UI. `is_own` tells whether an Origin is a page of this UI."""
    runs = Runs(environment, conductor)
    guard: Guard = web_ui.auth_required_if_enabled
    static = PAGE / "static"
    pages = Blueprint("lab", __name__, template_folder=PAGE, static_folder=static, static_url_path="/lab/static")
    routes: list[tuple[str, str, Callable[..., ResponseReturnValue]]] = [
        ("POST", "/runs", runs.create),
        ("GET", "/runs", runs.index),
        ("PUT", "/rig", runs.be_told),
        ("GET", "/runs/compare", runs.compare),
        ("GET", "/runs/<run>", runs.show),
        ("POST", "/runs/<run>/stop", runs.stop),
        ("GET", "/runs/<run>/files/<name>", runs.file),
        ("GET", "/runs/<run>/report", runs.report),
        ("GET", "/runs/<run>/archive", runs.archive),
        ("GET", "/lab", runs.page),
    ]
    for method, path, view in routes:
        pages.add_url_rule(path, view.__name__, guard(_telling(view)), methods=[method])
    pages.before_request(partial(_refuse_others, is_own))
    pages.after_request(_never_guess)
    assert web_ui.app is not None
    web_ui.app.register_blueprint(pages)


def _refuse_others(is_own: Callable[[str], bool]) -> ResponseReturnValue | None:
    """Refuse scripts of other sites, reading ones too: Locust allows any of them to read what it answers."""
    origin = request.headers.get("Origin")
    if origin is not None and not is_own(origin):
        return _json({"message": "Refused: the request came from a page of another site."}), 403
    return None


def _never_guess(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store" if response.is_json else "no-cache")
    return response


def _telling(view: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
    """Return a view that tells what went wrong. Within the guard, which would take an exception for one of its own."""

    @wraps(view)
    def telling(**arguments: str) -> ResponseReturnValue:
        try:
            return view(**arguments)
        except Exception as error:  # whatever it is: Locust has Flask debug, and so would let it through
            return _tell(error)

    return telling


def _tell(error: Exception) -> ResponseReturnValue:
    """Answer with what went wrong."""
    if isinstance(error, UsageError):
        return _json({"message": str(error)}), 400
    if isinstance(error, BusyError):
        return _json({"message": str(error)}), Conflict.code
    if isinstance(error, HTTPException):
        return _json({"message": error.description}), error.code or 500
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    known = str(error) if isinstance(error, LabError) else "Something went wrong: the master's log says what."
    return _json({"message": known}), 500


def _json(document: Any) -> Response:
    """Return a document as an answer. Flask's own way is slower by far: Locust has it indent, for people."""
    return Response(json.dumps(document, separators=(",", ":")), content_type="application/json")


def _object(what: str, most_bytes: int) -> dict[str, Any]:
    """Return the JSON object in the body of a request."""
    # Of JSON only: a form, which a page of another site could send without asking first, is none.
    if not request.is_json:
        raise UnsupportedMediaType(f"Send {what} as application/json.")
    request.max_content_length = most_bytes
    values = request.get_json(silent=True)
    if not isinstance(values, dict):
        raise UsageError(f"The body is not a JSON object: send {what}.")
    return values


def _page(content: bytes, policy: str) -> Response:
    response = Response(content, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = "no-store"
    return response


def _file_response(stream: Any, name: str) -> Response:
    status = run_files.status_of(stream)
    response = Response(run_files.chunks(stream, status.st_size), content_type=run_files.content_type(name))
    response.content_length = status.st_size
    response.headers["Last-Modified"] = http_date(status.st_mtime)
    response.set_etag(f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}")
    if name.endswith(".html"):
        response.headers["Content-Security-Policy"] = REPORT_POLICY
    return response
