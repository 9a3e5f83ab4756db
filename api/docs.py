"""/openapi.json, and Swagger UI at /docs from files in the installed package: it works offline."""

from __future__ import annotations

import json
from pathlib import Path

import flask_openapi3_swagger  # type: ignore[import-untyped]
from flask import Blueprint, Response, current_app, send_from_directory
from flask_openapi3.openapi import OpenAPI

_FILES = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"
_CACHE_S = 3600
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>API documentation</title>
<link rel="icon" href="/docs/images/swagger.svg">
<link rel="stylesheet" href="/docs/css/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/js/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = 'window.ui = SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true});\n'

blueprint = Blueprint("docs", __name__)


@blueprint.get("/openapi.json")
def document() -> Response:
    """The OpenAPI document."""
    app = current_app
    assert isinstance(app, OpenAPI)
    return Response(json.dumps(app.api_doc), mimetype="application/json")


@blueprint.get("/docs")
def page() -> Response:
    """Swagger UI's page."""
    return Response(_PAGE, mimetype="text/html", headers={"Content-Security-Policy": _POLICY})


@blueprint.get("/docs/start.js")
def start() -> Response:
    """The one line that starts Swagger UI; a file of its own, so that the page needs no inline script."""
    return Response(_START, mimetype="text/javascript")


@blueprint.get("/docs/<path:name>")
def file(name: str) -> Response:
    """Swagger UI's script, style and picture."""
    return send_from_directory(_FILES, name, max_age=_CACHE_S)
