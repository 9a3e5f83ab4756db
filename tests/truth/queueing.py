"""The capacity of a target of K slots with one line before them, by queueing theory: the truth of a search for it.

A closed system: N users who think, ask, wait. Times in ms.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import special


def fixed_capacity(slots: int, service_ms: float, limit_ms: float) -> int:
    """Return how many users, who do not think, surely have response times below a limit, each service taking as long.

    With q users a slot each waits for q services. Some more may do: their answers take up to a service longer, by how
    the slots' times happen to fall.
    """
    return slots * (math.ceil(limit_ms / service_ms) - 1)


def exponential_capacity(slots: int, service_ms: float, think_ms: float, limit_ms: float, share: float = 0.95) -> int:
    """Return the most users of whose answers more than `share` take less than a limit.

    Services are exponential; so is the thinking, unless it is 0. The machine-repairman model M/M/K//N.
    """
    return _greatest(lambda users: slower(users, slots, service_ms, think_ms, limit_ms) < 1 - share)


def slower(users: int, slots: int, service_ms: float, think_ms: float, limit_ms: float) -> float:
    """Return the share of answers that take longer than a limit.

    Who asks sees what N - 1 users leave behind (Lavenberg and Reiser's arrival theorem, 1980): finding n in the system,
    it is served at once when n < K, else after n - K + 1 departures at the rate of all slots.
    """
    others = _occupancy(users - 1, slots, service_ms, think_ms)
    return math.fsum(p * _tail(max(0, n - slots + 1), slots, service_ms, limit_ms) for n, p in enumerate(others))


def _occupancy(users: int, slots: int, service_ms: float, think_ms: float) -> list[float]:
    """Return the probability of each number of users in the system."""
    if think_ms == 0:
        return [0.0] * users + [1.0]
    logs = [0.0]
    for n in range(1, users + 1):
        logs.append(logs[-1] + math.log((users - n + 1) / think_ms) - math.log(min(n, slots) / service_ms))
    most = max(logs)
    weights = [math.exp(log - most) for log in logs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def _tail(departures: int, slots: int, service_ms: float, limit_ms: float) -> float:
    """Return the probability that so many departures, and then an own service, take longer than a limit."""
    own = 1 / service_ms
    if departures == 0:
        return math.exp(-own * limit_ms)
    if slots == 1:
        return float(special.gammaincc(departures + 1, own * limit_ms))
    together = slots * own
    after = math.log(together / (together - own)) * departures - own * limit_ms
    begun = float(special.gammainc(departures, (together - own) * limit_ms))
    return float(special.gammaincc(departures, together * limit_ms)) + (math.exp(after) * begun if begun else 0.0)


def _greatest(holds: Callable[[int], bool]) -> int:
    """Return the greatest number, from 1 on, for which something holds that holds for all smaller ones."""
    high = 1
    while holds(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
