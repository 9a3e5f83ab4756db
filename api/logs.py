"""Structured logs: one JSON object a line on stderr, ours, gunicorn's and every library's alike."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import structlog
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from structlog.typing import EventDict, Processor

from api.lifecycle import REQUEST_ID
from api.settings_checks import hide_password

_HANDLER = "api"


def configure(level: str) -> None:
    """Send structlog and the standard library's root logger to stderr as JSON, from ``level`` up."""
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter())
    root = logging.getLogger()
    handler.set_name(_HANDLER)
    for earlier in [each for each in root.handlers if each.get_name() == _HANDLER]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(least)


def formatter() -> logging.Formatter:
    """Renders a record of either origin as one line of JSON."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _scrub,
            structlog.processors.JSONRenderer(),
        ],
    )


class GunicornLogger(Logger):  # type: ignore[misc]
    """gunicorn's own lines in the same shape. Its access log is off: the application logs requests itself."""

    def setup(self, cfg: Any) -> None:
        """Replace the plain-text formatter by ours."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter())

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Nothing: see ``API_LOG_REQUESTS``."""


def _shared() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_process,
        _add_request_id,
    ]


def _add_process(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event["pid"] = os.getpid()
    return event


def _add_request_id(_logger: Any, _method: str, event: EventDict) -> EventDict:
    # Read when a line is logged rather than bound for each request: most requests log nothing. gunicorn's master
    # logs too, and must not load Flask.
    flask = sys.modules.get("flask")
    if flask is not None and flask.has_request_context():
        event.setdefault("request_id", flask.request.environ.get(REQUEST_ID))
    return event


def _scrub(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Hide passwords in URLs, wherever a library may have put one."""
    for key, value in event.items():
        if isinstance(value, str) and "://" in value:
            event[key] = hide_password(value)
    return event
