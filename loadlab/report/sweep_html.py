"""The page of a sweep: one file that works offline, made as that of a run is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from loadlab.analysis import slo
from loadlab.analysis.scaling_told import meaning
from loadlab.analysis.scaling_told import name as name_of
from loadlab.analysis.sweep import Axis, Estimate, Figures, Point, State, Sweep, SweepStatus, Usl
from loadlab.report import embedding, pages, sweep_charts, view, words
from loadlab.report.explain import SWEEP_TERMS

SECTIONS = (("growth", "Growth"), ("rows", "Table"), ("runs", "Runs"), ("fit", "Fit"), ("about", "About"))
MOST_ROWS = 12  # of a card that is open from the start
TONES = {SweepStatus.FINISHED: "valid", SweepStatus.INTERRUPTED: "degraded", SweepStatus.RUNNING: "degraded"}


def page(sweep: Sweep) -> bytes:
    """Return the page of a sweep that was analysed. The same sweep gives the same bytes."""
    assert sweep.scaling is not None
    charts = sweep_charts.of(sweep, _promises(sweep))
    theme, script, bokeh = pages.asset("theme.js"), pages.asset("report.js"), Markup(embedding.script())
    values = {
        "w": words,
        "terms": SWEEP_TERMS,
        "sweep": sweep,
        "scaling": sweep.scaling,
        "noun": "Workers" if sweep.axis is Axis.WORKERS else "Replicas",
        "title": words.plain(sweep.name or f"sweep of {_noun(sweep)}"),
        "facts": [words.plain(fact) for fact in _facts(sweep)],
        "badges": list(_badges(sweep)),
        "notes": sweep.scaling.notes,
        "charts": charts,
        "runs": [_run(sweep, point) for point in sweep.points],
        "meaning": meaning(sweep),
        "has_balance": any(row.balance is not None for row in sweep.scaling.rows),
        "fit": list(_fit(sweep.scaling.usl)) if sweep.scaling.usl else [],
        "about": list(_about(sweep)),
        "sections": SECTIONS,
        "css": pages.asset("report.css"),
        "theme_js": theme,
        "report_js": script,
        "bokeh_js": bokeh,
        "policy": pages.policy([theme, bokeh, script]),
        "charts_json": Markup(embedding.document(charts)),
    }
    return pages.environment().get_template("sweep.html.j2").render(values).encode("utf-8", "replace")


def _noun(sweep: Sweep) -> str:
    return "workers" if sweep.axis is Axis.WORKERS else "replicas of the API"


def _facts(sweep: Sweep) -> Iterator[str]:
    if sweep.name:
        yield sweep.id
    yield time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(sweep.created))
    if sweep.ended is not None:
        yield words.span(sweep.ended - sweep.created)
    yield f"{', '.join(map(str, sweep.counts))} {_noun(sweep)}"
    other = "replica" if sweep.axis is Axis.WORKERS else "worker"
    yield words.many(sweep.others, other)
    users = words.many(int(sweep.plan.get("users") or 0), "user")
    yield f"searches for the capacity, up to {users}" if sweep.is_search else users
    yield f"engine {sweep.engine}"
    if sweep.axis is Axis.API or sweep.balancer == "lb":
        yield {"lb": "load balancer HAProxy", "dns": "spread by DNS", "kernel": "spread by the kernel"}.get(
            sweep.balancer, sweep.balancer
        )
    if sweep.repeats > 1:
        yield f"each {sweep.repeats} times"


def _badges(sweep: Sweep) -> Iterator[tuple[str, str]]:
    measured = sum(point.state is State.MEASURED for point in sweep.points)
    whole = measured == len(sweep.points)
    yield f"{measured} of {words.many(len(sweep.points), 'point')} measured", "valid" if whole else "degraded"
    if sweep.status is not SweepStatus.FINISHED:
        yield str(sweep.status), TONES[sweep.status]
    invalid = sum(p.figures is not None and p.figures.validity == "invalid" for p in sweep.points)
    if invalid:
        yield f"{invalid} invalid", "invalid"


def _run(sweep: Sweep, point: Point) -> dict[str, Any]:
    """Return what the list of runs says of a point."""
    given = point.figures
    word, tone = _verdict(given) if given else (point.state.value, "degraded")
    doubts = " ".join(reason.text for reason in given.doubts) if given else point.error
    search = given.search if given else None
    if search and search.users is None and not doubts:
        doubts = f"No capacity: {search.sentence}."
    return {
        "name": name_of(sweep, point),
        "run": point.run,
        "capacity_users": search.users if search else None,
        "figures": given,
        "word": word,
        "tone": tone,
        "why": " ".join(filter(None, [doubts, given.limit if given else None])),
    }


def _verdict(given: Figures) -> tuple[str, str]:
    word, tone = view.VERDICTS[given.verdict]
    return word.lower(), tone


def _fit(usl: Usl) -> Iterator[view.Tile]:
    alone = usl.lambda_rps
    yield view.Tile("lambda", "One alone", f"{words.number(alone.value)}/s", _interval(alone, words.number))
    for key, name, estimate in (("sigma", "Contention", usl.sigma), ("kappa", "Coherency", usl.kappa)):
        yield view.Tile(key, name, _percent(estimate.value), _interval(estimate, _percent))
    if usl.peak_count is None:
        yield view.Tile("peak", "Greatest throughput", words.NOTHING, "the curve goes on rising")
    else:
        yield view.Tile("peak", "Greatest throughput", f"{words.number(usl.peak_rps)}/s", f"at {usl.peak_count:.0f}")
    yield view.Tile("off", "Off the curve", _percent(usl.off_percent / 100), f"of {words.many(usl.points, 'run')}")


def _interval(estimate: Estimate, say: Any) -> str:
    if estimate.high is None:
        return f"at least {say(estimate.low)} (95%)"
    return f"{say(estimate.low)} to {say(estimate.high)} (95%)"


def _percent(ratio: float) -> str:
    return words.percent(float(f"{100 * ratio:.3g}"))


def _about(sweep: Sweep) -> Iterator[dict[str, Any]]:
    each = "search" if sweep.is_search else "run"
    yield {"title": f"Plan of each {each}", "rows": view.plan_rows(sweep.plan)}
    rest = {"id": sweep.id, "status": sweep.status, "engine": sweep.engine, "cores": sweep.cores}
    rest |= {"repeats": sweep.repeats, "loadlab": sweep.version, "revision": sweep.revision or words.NOTHING}
    yield {"title": "Sweep", "rows": view.rows(rest)}
    knobs = list(sweep.knobs.items()) or [("all", "as they are by default")]
    yield {"title": "Knobs of the rig", "rows": knobs, "is_long": len(knobs) > MOST_ROWS}


def _promises(sweep: Sweep) -> list[slo.Slo]:
    found = []
    for text in sweep.plan.get("slos") or ():
        try:
            found.append(slo.parse(str(text)))
        except slo.SloError:  # of another version
            continue
    return found
