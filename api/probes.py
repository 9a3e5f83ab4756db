"""The views for whoever runs the service: is it alive, is it ready, what does it use."""

from __future__ import annotations

from flask import Response
from flask_openapi3.models.tag import Tag

from api import metrics
from api.blueprint import Blueprint
from api.lifecycle import PROCESS
from api.problems import Problem
from api.spec import problems
from api.views import RETRY_AFTER_S, store

_TAG = Tag(name="probes", description="For health checks and monitoring.")
_OK = {"description": "Yes.", "content": {"application/json": {"schema": {"type": "object"}}}}
_METRICS = {"description": "Prometheus text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}

blueprint = Blueprint("probes", __name__)


@blueprint.get("/livez", operation_id="livez", tags=[_TAG], summary="Is the process alive?", responses={200: _OK})
def livez() -> Response:
    """Does not touch the store: restarting this process would not mend that."""
    return Response('{"status":"alive"}', mimetype="application/json")


@blueprint.get(
    "/readyz", operation_id="readyz", tags=[_TAG], summary="Can it serve?", responses={200: _OK, **problems(503)}
)
def readyz() -> Response:
    """503 while the store is away, and from SIGTERM on, so that a load balancer sends nothing more."""
    if PROCESS.draining:
        raise Problem(503, "draining: this instance is about to stop", headers={"Retry-After": RETRY_AFTER_S})
    with store() as opened:
        opened.check()
    return Response('{"status":"ready"}', mimetype="application/json")


@blueprint.get(
    "/metrics",
    operation_id="metrics",
    tags=[_TAG],
    summary="Metrics of all gunicorn workers",
    responses={200: _METRICS},
)
def metrics_page() -> Response:
    """Prometheus' text format."""
    return Response(metrics.exposition(), content_type=metrics.CONTENT_TYPE)
