"""Joins flask-openapi3's documentation to our own checks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel

from api.validation import parse_body, parse_query

View = Callable[..., Response]
Model = type[BaseModel] | None


def checked(view: View, query: Model, body: Model, path: Model) -> View:
    """``view`` called with the models its signature names, made from the request; ``Problem`` when they cannot be."""

    @functools.wraps(view)
    def call(**segments: int) -> Response:
        arguments: dict[str, BaseModel] = {}
        environ = request.environ
        if path is not None:
            arguments["path"] = path.model_construct(None, **segments)  # the URL converter has checked them
        if query is not None:
            arguments["query"] = parse_query(query, environ.get("QUERY_STRING", ""))
        if body is not None:
            arguments["body"] = parse_body(body, environ.get("CONTENT_TYPE", ""), environ["wsgi.input"].read())
        return view(**arguments)

    return call


class Blueprint(APIBlueprint):
    """A blueprint whose views declare ``query``, ``body`` and ``path`` models, as flask-openapi3 has it.

    The library documents them; it does not check them. Its checks make the JSON Schema of the model anew for each
    request, and cannot tell broken JSON (400) or a wrong content type (415) from a missing field (422).
    """

    @staticmethod
    def create_view_func(  # noqa: PLR0917 - the library's signature
        func: View,
        header: Model,
        cookie: Model,
        path: Model,
        query: Model,
        form: Model,
        body: Model,
        *_: Any,
        **__: Any,
    ) -> View:
        """Called by the library for every route."""
        assert header is cookie is form is None, "only query, body and path are checked"
        return func if query is body is path is None else checked(func, query, body, path)
