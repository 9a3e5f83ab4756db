"""What every face of the API must do, whatever runs it and wherever it keeps its items.

A test module subclasses ``Contract`` and brings two fixtures: ``call``, and ``fresh``, a ``call`` to a store nothing
was written to. Tests over ``call`` may find items of earlier tests.
"""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from tests.api.bad_inputs import BAD_INPUTS, Bad
from tests.api.instance import JSON_TYPE, Call, all_names, post_item, total

SEED = {"name": "unit testing", "description": "testing individual units of source code"}
# Whatever the version of Python, which has other names before 3.13.
TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


class Contract:
    """The shared tests."""

    def test_a_fresh_store_holds_the_lab_documents_item(self, fresh: Call) -> None:
        """One item with exactly two keys, as a bare array."""
        answer = fresh("GET", "/tests")
        assert (answer.status, answer.json()) == (200, [SEED])
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-total-count"] == "1"
        assert "link" not in answer.headers

    def test_the_lab_documents_calls_work(self, call: Call) -> None:
        """POST answers 204 without a body, and the item is the last of the list."""
        before = total(call)
        sent = {"name": "load testing", "description": "checking if a software can handle the expected load"}
        answer = call("POST", "/tests", json.dumps(sent).encode(), JSON_TYPE)
        assert (answer.status, answer.body) == (204, b"")
        assert "content-type" not in answer.headers
        location = answer.headers["location"]
        assert call("GET", location).json() == sent
        last = int(location.rsplit("/", 1)[1]) - 1
        assert call("GET", f"/tests?after={last}").json() == [sent]
        assert total(call) == before + 1

    def test_the_same_name_twice_is_two_items(self, call: Call) -> None:
        """Nothing is merged."""
        first, second = post_item(call, "twin"), post_item(call, "twin")
        assert first.headers["location"] != second.headers["location"]

    @pytest.mark.parametrize("length", [1, 200])
    def test_text_comes_back_as_it_was_sent(self, call: Call, length: int) -> None:
        """Outer spaces, quotes, every plane of Unicode, up to the limits."""
        for text in (" padded ", '"<&>\\', "\U0001f600", "ß", "\x7f\x01\u2028"):
            name = (text * 200)[:length] if (text * 200)[:length].strip() else "x"
            sent = {"name": name, "description": (name * 2_000)[:2_000]}
            for encoded in (json.dumps(sent).encode(), json.dumps(sent, ensure_ascii=False).encode()):
                location = call("POST", "/tests", encoded, JSON_TYPE).headers["location"]
                assert call("GET", location).json() == sent

    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
    def test_a_charset_of_utf_8_is_accepted(self, call: Call, content_type: str) -> None:
        """It is what some clients send."""
        answer = call("POST", "/tests", b'{"name":"n","description":"d"}', {"Content-Type": content_type})
        assert answer.status == 204

    def test_pages_link_to_the_next_until_the_last(self, fresh: Call) -> None:
        """Link has the same limit and the id of the last item shown; the last page has none."""
        for n in range(4):
            post_item(fresh, f"item {n}")
        answer = fresh("GET", "/tests?limit=2")
        assert [item["name"] for item in answer.json()] == ["unit testing", "item 0"]
        assert answer.headers["link"] == '</tests?limit=2&after=2>; rel="next"'
        assert answer.headers["x-total-count"] == "5"
        exact = fresh("GET", "/tests?limit=5")
        assert len(exact.json()) == 5
        assert "link" not in exact.headers
        past = fresh("GET", "/tests?after=1000")
        assert (past.json(), past.headers["x-total-count"]) == ([], "5")
        assert "link" not in past.headers
        assert all_names(fresh, 2) == ["unit testing", "item 0", "item 1", "item 2", "item 3"]

    @pytest.mark.parametrize("bad", BAD_INPUTS, ids=lambda bad: bad.case)
    def test_bad_input_gets_a_problem_that_names_the_field(self, call: Call, bad: Bad) -> None:
        """RFC 9457, the right status, and nothing of our inside."""
        before = total(call)
        answer = call(bad.method, bad.path, bad.body, bad.headers)
        problem = answer.json()
        assert (answer.status, answer.headers["content-type"]) == (bad.status, "application/problem+json")
        assert problem["status"] == bad.status
        assert {"type", "title", "detail"} <= problem.keys()
        assert problem["title"] == TITLES.get(bad.status, HTTPStatus(bad.status).phrase)
        if bad.named:
            assert bad.named in [error["field"] for error in problem["errors"]]
            assert all(error["message"] for error in problem["errors"])
        if bad.status == 405:
            assert "GET" in answer.headers["allow"]
        assert b"Traceback" not in answer.body
        assert b".py" not in answer.body.replace(b"__init__.py", b"")
        assert total(call) == before

    def test_what_is_too_long_says_how_long_it_may_be(self, call: Call) -> None:
        """200 for a name, 2,000 for a description; all that is wrong is told at once."""
        errors = post_item(call, "x" * 201, "y" * 2_001).json()["errors"]
        assert {error["field"]: error["message"] for error in errors} == {
            "name": "must be at most 200 characters long, not 201",
            "description": "must be at most 2000 characters long, not 2001",
        }

    @pytest.mark.parametrize("path", ["/tests", "/tests/1", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs"])
    def test_head_answers_as_get_without_a_body(self, call: Call, path: str) -> None:
        """Same status, same content type."""
        head, get = call("HEAD", path), call("GET", path)
        assert (head.status, head.body) == (get.status, b"") == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]

    def test_options_tells_what_is_allowed(self, call: Call) -> None:
        """204 with Allow."""
        answer = call("OPTIONS", "/tests")
        assert (answer.status, answer.body) == (204, b"")
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}

    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/tests"), ("GET", "/livez"), ("GET", "/nothing"), ("PUT", "/tests"), ("POST", "/tests")],
    )
    def test_every_response_carries_id_instance_and_timing(self, call: Call, method: str, path: str) -> None:
        """Errors too; db only when the store was used."""
        answer = call(method, path, headers={"X-Request-ID": "from-the.client_1"})
        assert answer.headers["x-request-id"] == "from-the.client_1"
        assert answer.headers["x-instance"]
        timing = answer.headers["server-timing"]
        assert float(timing.split(",")[0].removeprefix("app;dur=")) >= 0
        assert ("db;dur=" in timing) == ((method, path) == ("GET", "/tests"))

    @pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>", "é", '"'])
    def test_an_insane_request_id_is_replaced(self, call: Call, given: str) -> None:
        """By one that is new each time."""
        made = {call("GET", "/livez", headers={"X-Request-ID": given}).headers["x-request-id"] for _ in range(2)}
        assert len(made) == 2
        assert given not in made

    def test_probes_say_alive_and_ready(self, call: Call) -> None:
        """Both 200 while all is well."""
        assert call("GET", "/livez").status == call("GET", "/readyz").status == 200

    def test_the_documentation_needs_no_other_host(self, call: Call) -> None:
        """Every script, style and picture of /docs comes from here."""
        page = call("GET", "/docs").body.decode()
        files = [part.split('"')[0] for part in page.replace('href="', 'src="').split('src="')[1:]]
        assert len(files) == 4
        for file in files:
            assert file.startswith("/docs/")
            assert call("GET", file).status == 200
