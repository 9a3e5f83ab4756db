"""What is added to the pages of Locust's own UI: a bar above them that leads to the Lab page, and a Lab tab.

Locust's tables show text alone, and are read anew only while users run, so that neither a link nor a verdict could be
shown there. But a tab may name the element that it consists of: ours is `<lab-runs>`, which our script fills.
"""

from __future__ import annotations

import json

from flask import Flask, Response, request
from locust.runners import STATE_RUNNING, STATE_STOPPING
from locust.web import WebUI

ROOT = '<div id="root"></div>'
BAR = """<link rel="stylesheet" href="/lab/static/bar.css">
    <nav id="lab-bar" aria-label="Lab">
      <a href="/lab">Lab</a> <span id="lab-bar-text" role="status">runs, verdicts, reports</span>
    </nav>
    <script type="module" src="/lab/static/bar.js"></script>
    """
TAB = {"title": "Lab", "key": "lab", "component": "lab-runs"}


def attach(web_ui: WebUI) -> None:
    """Add the bar and the tab."""
    app = web_ui.app
    assert isinstance(app, Flask)
    web_ui.template_args.setdefault("extended_tabs", []).append(TAB)

    @app.after_request
    def add_to_page(response: Response) -> Response:
        if request.endpoint == "locust.index" and response.status_code == 200:
            response.set_data(response.get_data(as_text=True).replace(ROOT, BAR + ROOT, 1))
        elif request.endpoint == "locust.request_stats":
            keep_asking(response)
        return response


def keep_asking(response: Response) -> None:
    """Have a page that asks while users are being stopped ask on: told "stopping", it never asks again."""
    document = response.get_json(silent=True)
    if isinstance(document, dict) and document.get("state") == STATE_STOPPING:
        document["state"] = STATE_RUNNING
        response.set_data(json.dumps(document))
