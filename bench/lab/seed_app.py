"""The API as the lab's text has it: a list in memory, all of it in each answer, Flask's development server.

    .lab/venv/bin/python bench/lab/seed_app.py 5001

The text's debug mode is off: it puts an interactive console on the network.
"""

from __future__ import annotations

import sys

from flask import Flask, Response, jsonify, request

app = Flask(__name__)
testing_types = [{"name": "unit testing", "description": "testing individual units of source code"}]


@app.get("/tests")
def get_tests() -> Response:
    """Return the whole list."""
    return jsonify(testing_types)


@app.post("/tests")
def add_test() -> tuple[str, int]:
    """Put what was sent at the end of the list, whatever it is."""
    testing_types.append(request.get_json())
    return "", 204


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
