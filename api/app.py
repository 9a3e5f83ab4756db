"""The application factory."""

from __future__ import annotations

import structlog
from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface, SessionMixin
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from werkzeug.exceptions import HTTPException

from api import __version__, docs, logs, probes, views
from api.front import Front
from api.lifecycle import ROUTE, Limiter
from api.problems import CONTENT_TYPE, Problem
from api.request_log import RequestLog
from api.settings import Settings
from api.spec import SUMMARY, TITLE, add_schemas, route_label, tidy
from api.store import open_store

log = structlog.get_logger("api")


class NoSessions(SessionInterface):
    """There are no sessions here: not even an empty one is made for each request."""

    def open_session(self, _app: Flask, _request: Request) -> SessionMixin:
        """A session that is never looked at."""
        return _NO_SESSION

    def is_null_session(self, _obj: object) -> bool:
        """Nothing is ever saved."""
        return True


class _NoSession(dict[str, object], SessionMixin):
    pass


_NO_SESSION = _NoSession()


class PlainResponse(Response):
    """A response that has a content type only when it is given one."""

    default_mimetype = None


class Api(OpenAPI):
    """Flask with the OpenAPI document and without what this service has no use for."""

    session_interface = NoSessions()
    response_class = PlainResponse

    def generate_spec_json(self) -> None:
        """Make the document, without the errors the library believes every operation to answer with."""
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        tidy(self.spec_json)

    def make_default_options_response(self) -> Response:
        """204 with ``Allow``."""
        response = super().make_default_options_response()
        response.status_code = 204
        return response


def build_app(settings: Settings) -> Flask:
    """Wire the application together. Opens no connection: the store may well be away at this moment."""
    logs.configure(settings.log_level)
    app = Api(
        __name__, info=Info(title=TITLE, version=__version__, description=SUMMARY), doc_ui=False, static_folder=None
    )
    # "//tests" is another path than "/tests": no redirect for it.
    app.url_map.merge_slashes = False
    app.extensions["store"] = open_store(settings)
    app.register_api(views.blueprint)
    app.register_api(probes.blueprint)
    app.register_blueprint(docs.blueprint)
    add_schemas(app)
    app.before_request(_note_route)
    app.register_error_handler(Problem, _answer_problem)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_bug)
    front = Front(app.wsgi_app, Limiter(settings.max_in_flight), settings.instance, RequestLog(settings.log_requests))
    app.wsgi_app = front  # type: ignore[method-assign]
    return app


def _note_route() -> None:
    rule = request.url_rule
    if rule is not None:
        request.environ[ROUTE] = route_label(rule.rule)


def _answer_problem(problem: Problem) -> Response:
    return PlainResponse(problem.body(), problem.status, problem.headers, content_type=CONTENT_TYPE)


def _answer_http_exception(error: HTTPException) -> Response:
    """Werkzeug's 404, 405 and the like in our shape, ``Allow`` kept."""
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    problem = Problem(error.code or 500, error.description or error.name, headers=headers)
    if problem.status == 404:
        problem.detail = f"there is nothing at {request.path[:200]}"
    if problem.status == 405:
        problem.detail = f"{request.method[:20]} is not allowed here; allowed: {headers.get('Allow', 'nothing')}"
    return _answer_problem(problem)


def _answer_bug(error: Exception) -> Response:
    """The traceback goes to the log; the client gets the request id to find it by."""
    log.error("unhandled exception", exc_info=error)
    return _answer_problem(Problem(500, "the service failed; its log has the cause under this X-Request-ID"))
