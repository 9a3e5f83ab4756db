"""Which knobs a rig that is up differs in: named with both values, secrets without."""

from __future__ import annotations

import pytest

from loadlab.rig.knobs import differing
from loadlab.rig.settings import environment, load

UP = {"API_POOL_SIZE": "5", "API_PORT": "5000-5002", "DATABASE_URL": "postgresql://me:hunter2@a/db", "WORKERS": "2"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"API_POOL_SIZE": "7"}, ["API_POOL_SIZE is 5 there, and 7 was asked for"]),
        ({"API_PORT": "5000", "TARGET_HOST": "http://x"}, ["API_PORT is 5000-5002 there, and 5000 was asked for",
                                                           "TARGET_HOST is empty there, and http://x was asked for"]),
        ({"API_POOL_SIZE": ""}, ["API_POOL_SIZE is 5 there, and empty was asked for"]),
        ({"WORKERS": "9", "WORKER_CPUS": "2", "LOAD_INTERNAL": "false"}, []),
        ({"API_KEY": "hunter2", "GUNICORN_TOKEN": "hunter2"}, []),
    ],
)  # fmt: skip
def test_each_is_named_with_both_values(changes: dict[str, str], said: list[str]) -> None:
    """Not what may differ, what is of containers alone, and what is no knob."""
    assert list(differing(UP, UP | changes)) == said


def test_a_secret_is_named_without_its_value() -> None:
    """Neither the old nor the new one is shown."""
    changes = {"DATABASE_URL": "sqlite:////data/tests.db", "TARGET_METRICS": "http://a/metrics?token=hunter3"}
    assert list(differing(UP, UP | changes)) == [
        f"{name} differs (it may hold a secret, and is not shown)" for name in ("DATABASE_URL", "TARGET_METRICS")
    ]


@pytest.mark.usefixtures("bare")
def test_flags_count_like_knobs() -> None:
    """The environment of a rig has its settings by the names of their knobs."""
    one, other = (environment(load({"api_replicas": replicas, "workers": replicas})) for replicas in ("1", "2"))
    assert list(differing(one, other)) == [
        "API_PORT is 5000 there, and 5000-5001 was asked for",
        "API_REPLICAS is 1 there, and 2 was asked for",
    ]
