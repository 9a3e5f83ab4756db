"""What a run reports is what the server served: each way in which Locust loses requests, on real processes.

Counts only, which hold on a busy machine too; what wants the machine to itself is in tests/stack.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.truth import experiments
from tests.truth.experiments import Lab, open_lab

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A rig of two workers that loads a truth server."""
    with open_lab(tmp_path_factory.mktemp("lab"), workers=2) as lab:
        yield lab


def test_slow_answers_at_the_end_are_in_the_report(lab: Lab) -> None:
    """Requests that take 2 s and are on their way when the run is over are waited for and reported."""
    experiments.slow_answers_at_the_end(lab)


def test_a_worker_that_is_told_to_go_reports_all_it_did(lab: Lab) -> None:
    """A worker that gets SIGTERM in mid-run says its last word: nothing of its work is lost."""
    experiments.a_worker_is_told_to_go(lab)


def test_a_run_started_and_stopped_in_the_ui_is_whole(lab: Lab) -> None:
    """The UI's own buttons give a recorded run, with all that was under way when stop was pressed."""
    experiments.started_and_stopped_in_the_ui(lab)
