"""What a sweep means, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadlab.analysis.summary import Level
from loadlab.analysis.sweep import Axis, Figures, Point, Row, State, Sweep, SweepStatus, Usl
from loadlab.analysis.wording import figure, listed, many, percent

NOT_FITTED = "The Universal Scalability Law is not fitted"
NEARLY_ONE = 0.95  # Jain's index, from which on a load is called even
ROOM_PERCENT = 75.0
# Of all cores. What is left is short waits: a core that is busy for nine tenths of the time makes work wait.
SATURATED_PERCENT = 90.0
MOST_SAID = 8


def noun(sweep: Sweep, count: int) -> str:
    """Return a number of what is swept: 1 worker, 4 replicas."""
    return many(count, "worker" if sweep.axis is Axis.WORKERS else "replica")


def headline(sweep: Sweep, rows: Sequence[Row]) -> str:
    """Return the answer in a sentence or two: what the last step brought, why, and where the most was."""
    known = [row for row in rows if row.throughput_rps]
    if not known and sweep.is_search:
        return "No point's search found a capacity."
    if not known:
        return "No point gave a measurement that can be believed."
    last = known[-1]
    if last.growth is None:
        return f"{_most(sweep, known, is_only=True)}; there is no other point to compare that can be believed."
    why = cause(sweep, last)
    return f"{_step(sweep, known)}{f': {why}' if why else ''}. {_most(sweep, known)}."


def _step(sweep: Sweep, known: Sequence[Row]) -> str:
    """Return what the last step brought; of workers that had no CPU left, no SLO held what they made."""
    before, last = known[-2:]
    growth = f"{last.growth:.2f} x the load of {before.count}"
    if last.capacity_users:
        return f"With {noun(sweep, last.count)}, the SLOs hold at {growth}"
    return f"{noun(sweep, last.count)} {'make' if sweep.axis is Axis.WORKERS else 'serve'} {growth}"


def _most(sweep: Sweep, known: Sequence[Row], *, is_only: bool = False) -> str:
    """Return where the most was: of capacities, where there are any, with the users who belong to it."""
    capacities = [row for row in known if row.capacity_users]
    best = max(capacities or known, key=lambda row: row.throughput_rps.value if row.throughput_rps else 0.0)
    most = f"{_rps(best)} requests/s with {noun(sweep, best.count)}"
    if best.capacity_users:
        held = many(round(best.capacity_users.value), "user")
        return f"The {'' if is_only else 'greatest '}capacity {'is' if is_only else 'was'} {held} and {most}"
    return f"{most[0].upper()}{most[1:]}" if is_only else f"The most were {most}"


def meaning(sweep: Sweep) -> str:
    """Return what the figures of a sweep of searches are, in a sentence; nothing of one of runs, which are plain."""
    if not sweep.is_search:
        return ""
    promises = listed([str(text) for text in sweep.plan.get("slos") or ()], most=MOST_SAID)
    return f"Capacities: the most users, and their requests/s, that hold {promises}."


def cause(sweep: Sweep, row: Row) -> str:
    """Return what limited a row, as far as it is known: a clause without a full stop."""
    if row.is_paced:
        return f"{_users(row)} set the pace, who wait for answers in {_percent(row.waiting_percent)} of their time"
    if row.is_saturated:
        return f"{_cores(sweep)} were {_percent(row.busy_percent)} busy, and the workers share them with the API"
    if row.is_generator_limited:
        return "the workers had no CPU left"
    return row.limit[0].lower() + row.limit[1:].rstrip(".") if row.limit else ""


def too_few(sweep: Sweep, have: int, need: int) -> str:
    """Return why there is no fit: too few points."""
    what = "workers" if sweep.axis is Axis.WORKERS else "replicas"
    return (
        f"{NOT_FITTED}: it wants at least {need} different numbers of {what} whose measurement can be believed, "
        f"and there {'is' if have == 1 else 'are'} {have or 'none'}."
    )


def paced(sweep: Sweep, rows: Sequence[Row]) -> str:
    """Return why there is no fit: throughput was what the users asked for."""
    return f"{NOT_FITTED}: with {_at(sweep, rows)}, throughput was what the users asked for, not what could be made."


def saturated(sweep: Sweep, rows: Sequence[Row]) -> str:
    """Return why there is no fit: the workers and what they load took the cores from each other."""
    busy = [row.busy_percent for row in rows if row.busy_percent is not None]
    return (
        f"{NOT_FITTED}: with {_at(sweep, rows)}, {_cores(sweep)}, which workers and API share, were "
        f"{_range(busy)} busy. The curve would show this machine's end, not how "
        f"{'workers' if sweep.axis is Axis.WORKERS else 'replicas'} scale."
    )


def notes(sweep: Sweep, rows: Sequence[Row], fitted: Usl | None, without: Sequence[Point] = ()) -> Iterator[str]:
    """Yield what should be known beside the headline, the weightiest first.

    `without` are the points whose search found no capacity, so that they are none of the curve's.
    """
    yield from _missing(sweep, without)
    yield from _searches(sweep, without)
    yield from _machine(sweep, rows)
    yield from _paced(rows)
    if fitted is not None:
        yield _fit(sweep, fitted)
    yield from _generator(sweep, rows)
    yield from _balance(sweep, rows)
    yield from sweep.notes


def _missing(sweep: Sweep, without: Sequence[Point]) -> Iterator[str]:
    for state, said in ((State.FAILED, "Could not be measured"), (State.INTERRUPTED, "Interrupted")):
        if points := [point for point in sweep.points if point.state is state]:
            yield f"{said}: {_points(sweep, points)}."
    pending = sum(point.state is State.PENDING for point in sweep.points)
    if sweep.status is not SweepStatus.FINISHED:
        yield f"The sweep was cut short: {many(pending, 'point')} of {len(sweep.points)} not tried yet."
    measured = [point for point in sweep.points if point.figures is not None and point not in without]
    invalid = [point for point in measured if point.figures is not None and point.figures.validity == "invalid"]
    if invalid:
        yield f"Invalid, so that response times say nothing: {_points(sweep, invalid)}."


def _searches(sweep: Sweep, without: Sequence[Point]) -> Iterator[str]:
    """Say which searches found no capacity, and why; and what is to be known of those that did."""
    for point in without[:MOST_SAID]:
        if point.figures is not None:
            yield f"No capacity was found with {name(sweep, point)}: {why_none(point.figures)}."
    if len(without) > MOST_SAID:
        yield f"No capacity was found with {many(len(without) - MOST_SAID, 'more point')}: the list of runs has them."
    found = [(point, point.figures.search) for point in sweep.points if point.figures and point.figures.search]
    if unsure := [point for point, one in found if one.users is not None and not one.confirmed]:
        yield f"Not confirmed by a longer step, so that it may be less: {_points(sweep, unsure)}."
    if late := [(point, one) for point, one in found if one.ending == "time" and one.users and one.broke_users]:
        gaps = [f"{name(sweep, point)} ({one.held_users:,} to {one.broke_users:,} users)" for point, one in late]
        yield f"The time was up before the gap was closed, so that it may be more: {listed(gaps, most=MOST_SAID)}."
    if broken := [point for point, one in found if one.ending == "not-recovered"]:
        yield f"The target collapsed under more users and did not come back: {_points(sweep, broken)}."


def why_none(given: Figures) -> str:
    """Return why a search found no capacity: a clause without a full stop."""
    broken = [reason for reason in given.doubts if reason.level is Level.INVALID]
    text = broken[0].text if broken else given.search.sentence if given.search else given.headline
    return (text[0].lower() + text[1:]).rstrip(".")


def _machine(sweep: Sweep, rows: Sequence[Row]) -> Iterator[str]:
    """Say what the machine's cores do to the result, where workers and target share them."""
    known = [row for row in rows if row.busy_percent is not None]
    if not sweep.is_shared or not known:
        return
    share = f"Workers, API and the rest of the rig share {_cores(sweep)}"
    full = [row for row in known if row.is_saturated]
    if full:
        busy = _range([row.busy_percent for row in full if row.busy_percent is not None])
        yield (
            f"{share}, which were {busy} busy with {_at(sweep, full)}: what one of them takes, the others lack. On "
            "more cores, or with the API on a machine of its own, these figures would be others."
        )
    else:
        every = [row.busy_percent for row in known if row.busy_percent is not None]
        yield f"{share}, which were {_range(every)} busy{': there was room left' if max(every) < ROOM_PERCENT else ''}."


def _paced(rows: Sequence[Row]) -> Iterator[str]:
    if any(row.is_paced for row in rows):
        yield (
            "Users who seldom wait for an answer set the throughput themselves: more users, or shorter pauses, show "
            "what can be made."
        )


def _fit(sweep: Sweep, fitted: Usl) -> str:
    alone, sigma, kappa = fitted.lambda_rps, fitted.sigma, fitted.kappa
    text = (
        f"Fitted: {noun(sweep, 1)} alone {figure(alone.value)} requests/s, contention {_share(sigma.value)}, "
        f"coherency {_share(kappa.value)}"
    )
    if fitted.peak_count is None or fitted.peak_rps is None:
        return f"{text}; throughput does not fall within reach of these points."
    most = max(sweep.counts)
    count = round(fitted.peak_count)
    beyond = f", which is beyond the {most} that were measured" if count > most else ""
    peak = noun(sweep, count)
    return f"{text}; the greatest throughput is at about {peak} ({figure(fitted.peak_rps)} requests/s){beyond}."


def _generator(sweep: Sweep, rows: Sequence[Row]) -> Iterator[str]:
    short = [row for row in rows if row.is_generator_limited]
    if not short:
        return
    if sweep.axis is Axis.WORKERS:
        none = ", and no capacity" if sweep.is_search else ""
        yield (
            f"With {_at(sweep, short)}, the workers had no CPU left: the throughput is theirs, not the target's{none}."
        )
    else:
        remedy = "the cores that they share with it were all busy: fewer users, or an API on a machine of its own"
        if not _had_no_room(sweep, short):
            remedy = "use more workers"
        yield f"With {_at(sweep, short)}, the workers had no CPU left, which says nothing of the API: {remedy}."


def _had_no_room(sweep: Sweep, rows: Sequence[Row]) -> bool:
    """Tell whether the cores that all share were busy in any run of these rows, also in those that do not count."""
    counts = {row.count for row in rows}
    found = [point.figures for point in sweep.points if point.count in counts and point.figures is not None]
    return sweep.is_shared and any((given.machine_percent or 0.0) >= SATURATED_PERCENT for given in found)


def _balance(sweep: Sweep, rows: Sequence[Row]) -> Iterator[str]:
    uneven = [row for row in rows if row.balance is not None and row.balance < NEARLY_ONE]
    if uneven:
        worst = min(row.balance for row in uneven if row.balance is not None)
        yield (
            f"With {_at(sweep, uneven)}, the load was not spread evenly over the replicas (Jain's index {worst:.2f}; "
            "1 is even)."
        )


def _points(sweep: Sweep, points: Sequence[Point]) -> str:
    """Return points by their names: 4 workers; with repeats, 4 workers (2nd run)."""
    names = [name(sweep, point) for point in points]
    return listed(names, most=MOST_SAID)


def name(sweep: Sweep, point: Point) -> str:
    """Return a point's name: 4 workers; with repeats, which run of them."""
    which = f" (run {point.repeat})" if sweep.repeats > 1 else ""
    return noun(sweep, point.count) + which


def _at(sweep: Sweep, rows: Sequence[Row]) -> str:
    *others, last = (str(row.count) for row in rows)
    return listed([*others, noun(sweep, int(last))], most=MOST_SAID)


def _rps(row: Row) -> str:
    return figure(row.throughput_rps.value) if row.throughput_rps else "no"


def _users(row: Row) -> str:
    return f"the {figure(row.users)} users" if row.users else "the users"


def _cores(sweep: Sweep) -> str:
    return f"the {many(sweep.cores, 'core')} of this machine"


def _percent(value: float | None) -> str:
    return "an unknown part" if value is None else percent(round(value)) if value >= 1 else percent(value)


def _share(value: float) -> str:
    return percent(float(f"{100 * value:.3g}"))


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return _percent(high) if round(low) == round(high) else f"{_percent(low)} to {_percent(high)}"
