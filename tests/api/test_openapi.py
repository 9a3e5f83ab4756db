"""The service does what its own /openapi.json says, for data that fits it and data that does not."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks

from tests.api.conftest import client_call, make_app

load_all_checks()
_folder = tempfile.TemporaryDirectory()
_app = make_app(DATABASE_URL=f"sqlite:///{_folder.name}/tests.db")
_config = schemathesis.Config.from_dict({"generation": {"mode": "all", "unique-inputs": False}})
schema = schemathesis.openapi.from_wsgi("/openapi.json", _app, config=_config)


@schema.parametrize()
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.timeout(60)
def test_every_operation_keeps_to_the_document(case: schemathesis.Case[Any]) -> None:
    """Status, content type, headers and body are documented; bad data is refused, good data accepted; never a 500."""
    case.call_and_validate()


def test_the_document_names_what_an_operation_may_answer() -> None:
    """Errors are problem documents throughout, and nothing of the library's own shape is left."""
    document = client_call(_app)("GET", "/openapi.json").json()
    assert set(document["paths"]) == {"/tests", "/tests/{id}", "/livez", "/readyz", "/metrics"}
    post = document["paths"]["/tests"]["post"]["responses"]
    assert set(post) == {"204", "400", "408", "413", "415", "422", "503"}
    told = [post[status]["description"] for status in ("413", "422")]
    assert told == ["Content Too Large", "Unprocessable Content"]
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"]
    assert set(document["components"]["schemas"]) == {"NewItem", "Item", "ProblemDocument", "FieldError"}
