"""Theory and simulation agree on what the truth is."""

from __future__ import annotations

import pytest

from tests.queues import Queue
from tests.truth.queueing import exponential_capacity, fixed_capacity, slower

LIMIT_MS = 450


def share_of_slow(queue: Queue, users: int, seconds: int) -> float:
    """Return the share of answers over the limit, after the queue has settled."""
    queue.set_users(users)
    for _ in range(30):
        queue.second()
    slow = total = 0
    for _ in range(seconds):
        for cell in queue.second().cells:
            assert cell.ok is not None
            slow, total = slow + cell.slow[0], total + cell.ok.n
    return slow / total


@pytest.mark.parametrize(("think_s", "users"), [(0.0, 66), (0.0, 74), (1.0, 245), (1.0, 265)])
def test_shares_of_slow_answers(think_s: float, users: int) -> None:
    """Of users who think and who do not, below the capacity and above."""
    known = slower(users, 8, 40, 1000 * think_s, LIMIT_MS)
    seen = share_of_slow(Queue(8, 0.04, think_s), users, 600)
    assert seen == pytest.approx(known, rel=0.25, abs=0.01)


def test_capacities() -> None:
    """The greatest number for which the share is small enough; of fixed times, N S / K stays below the limit."""
    users = exponential_capacity(8, 40, 1000, LIMIT_MS)
    assert slower(users, 8, 40, 1000, LIMIT_MS) < 0.05 <= slower(users + 1, 8, 40, 1000, LIMIT_MS)
    assert exponential_capacity(1, 10, 0, LIMIT_MS) < exponential_capacity(2, 10, 0, LIMIT_MS)
    assert (fixed_capacity(8, 40, 450), fixed_capacity(8, 40, 440), fixed_capacity(8, 40, 441)) == (88, 80, 88)
    assert share_of_slow(Queue(8, 0.04, 0.0, is_exponential=False), 88, 20) == 0.0
    assert share_of_slow(Queue(8, 0.04, 0.0, is_exponential=False), 96, 20) == 1.0
