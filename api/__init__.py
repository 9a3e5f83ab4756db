"""The target of the lab: a small REST API over Flask, SQLAlchemy Core and gunicorn.

The package knows nothing of load testing and never imports ``loadlab``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from api.settings import Settings

__version__ = "0.1.0"


def create_app(settings: Settings | None = None) -> Flask:
    """Make the WSGI application; without ``settings`` they are read from the environment.

    Raises ``SystemExit(2)``, after one line per bad variable on stderr, when the environment is wrong.
    """
    # Imported late: gunicorn's master imports this package for its settings alone, and must load neither Flask
    # nor anything else that a gevent worker has yet to patch.
    from api.app import build_app
    from api.settings import load_or_exit

    return build_app(settings or load_or_exit())
