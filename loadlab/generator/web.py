"""What the master's web server answers beyond Locust's own pages."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner

from loadlab.errors import LabError
from loadlab.generator import locust_page, runs_web, start_form
from loadlab.generator.runs_web import Conductor


def attach(environment: Environment, conductor: Conductor) -> None:
    """Add our routes to the web UI of a master, and our parts to its pages."""
    web_ui = environment.web_ui
    runner = environment.runner
    assert web_ui is not None
    assert web_ui.app is not None
    assert isinstance(runner, MasterRunner)

    @web_ui.app.before_request
    def refuse_other_sites() -> ResponseReturnValue | None:
        if not is_own_name(request.host, os.environ.get("UI_NAME", "")):
            return _refusal(f"{request.host} is not a name of this UI: set UI_NAME to it.")
        if not is_own_site(request.method, request.headers.get("Origin"), request.host):
            return _refusal("the request came from a page of another site.")
        return None

    @web_ui.app.before_request
    def plan_run() -> ResponseReturnValue | None:
        # While users run, the same form changes their number: there is nothing to plan then.
        if request.endpoint == "locust.swarm" and runner.state not in (STATE_SPAWNING, STATE_RUNNING):
            return _plan(environment, conductor)
        return None

    @web_ui.app.get("/workers")
    @web_ui.auth_required_if_enabled
    def workers() -> ResponseReturnValue:
        return jsonify(workers_document(runner))

    runs_web.attach(environment, web_ui, conductor, lambda origin: is_own_site("POST", origin, request.host))
    locust_page.attach(web_ui)


def is_own_site(method: str, origin: str | None, host: str) -> bool:
    """Tell whether a request may change something: a page of another site, open in the same browser, may not.

    Locust answers any origin and asks for no token, so any such page could start a test at any target.
    """
    return method in ("GET", "HEAD", "OPTIONS") or origin is None or urlsplit(origin).netloc == host


def is_own_name(host: str, name: str) -> bool:
    """Tell whether a Host header, port included, is an address, a name without dots, or the one that was set.

    A page of another site can make its own name stand for this address; it cannot choose one of these.
    """
    asked = urlsplit(f"//{host}").hostname or ""
    try:
        ip_address(asked)
    except ValueError:
        return "." not in asked or asked == name.lower()
    return True


def workers_document(runner: MasterRunner) -> dict[str, Any]:
    """Return the state of the test and of each worker; `ready` counts those that can take users or have them."""
    clients = runner.clients
    return {
        "state": runner.state,
        "users": runner.user_count,
        "ready": len(clients.ready) + len(clients.spawning) + len(clients.running),
        "workers": [
            {
                "id": client.id,
                "state": client.state,
                "users": client.user_count,
                "cpu_percent": client.cpu_usage,
                "memory_bytes": client.memory_usage,
            }
            for client in clients.all
        ],
    }


def _refusal(why: str) -> ResponseReturnValue:
    return jsonify({"success": False, "message": f"Refused: {why}"}), 403


def _plan(environment: Environment, conductor: Conductor) -> ResponseReturnValue | None:
    """Have the run that the start form asks for follow its plan, or refuse it in the way of Locust's own errors.

    Its page shows the message, above the button, of an answer with status 200 only.
    """
    try:
        conductor.prepare(start_form.plan_values(request.form, environment))
    except LabError as error:
        return jsonify({"success": False, "message": str(error)})
    return None
