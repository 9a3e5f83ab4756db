"""The page: one file of HTML with everything in it, that works from a file and asks no network for anything.

A Content-Security-Policy in the page itself forbids every request and every script but the three that are in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from loadlab.analysis import saturation, series, slo
from loadlab.analysis.recording import Event, Recording, Run
from loadlab.analysis.summary import PERCENTILES, Summary
from loadlab.report import capacity_charts, capacity_view, charts, embedding, pages, view
from loadlab.report.explain import SEARCH_TERMS, TERMS
from loadlab.report.plots import Chart, TimeAxis, is_first_join, mark_kind

SECTIONS = (
    ("capacity", "Capacity"),
    ("bottleneck", "Bottleneck"),
    *(("promises", "Promises"), ("figures", "Key figures"), ("load", "Over time"), ("times", "Response times")),
    *(("endpoints", "Endpoints"), ("stages", "Stages"), ("workers", "Workers"), ("target", "Target")),
    *(("events", "Events"), ("reliability", "Reliability"), ("accounting", "Accounting"), ("about", "About")),
)
MOST_EVENTS = 500


def page(recording: Recording, summary: Summary) -> bytes:
    """Return the page of a run. The same run gives the same bytes.

    Raises:
        ValueError: a histogram of the recording is damaged.
    """
    run = recording.run
    lines = series.of(recording)
    axis = TimeAxis(lines.t, lines.step_s, max(lines.end_s, summary.totals.end_s), recording.events)
    promises, search = _promises(run), summary.capacity
    drawn = {
        "capacity_charts": capacity_charts.of(search, promises) if search else [],
        "load_charts": charts.load_charts(lines, axis, promises),
        "worker_charts": charts.worker_charts(lines, axis),
        "target_charts": charts.target_charts(lines, axis),
    }
    spread = charts.distribution(lines, summary, promises)
    every: list[Chart] = [chart for some in drawn.values() for chart in some] + ([spread] if spread else [])
    told = _merged(recording.events)
    theme, report, bokeh = pages.asset("theme.js"), pages.asset("report.js"), Markup(embedding.script())
    values = {
        **view.of(summary, run),
        **drawn,
        "search": capacity_view.of(summary),
        "distribution": spread,
        "events": _listed(told),
        "events_count": len(told),
        "step_s": lines.step_s,
        "ranks": [f"p{rank:g}" for rank in PERCENTILES],
        "cpu_most": 100 * saturation.CPU_MOST,
        "lag_most": saturation.LAG_MOST_MS,
        "throttled_most": 100 * saturation.THROTTLED_MOST,
        "terms": SEARCH_TERMS | TERMS if search else TERMS,
        "sections": [(key, name) for key, name in SECTIONS if key not in _absent(summary)],
        "css": pages.asset("report.css"),
        "theme_js": theme,
        "report_js": report,
        "bokeh_js": bokeh,
        "policy": pages.policy([theme, bokeh, report]),
        "charts_json": Markup(embedding.document(every)),
    }
    return pages.environment().get_template("report.html.j2").render(values).encode("utf-8", "replace")


def _absent(summary: Summary) -> set[str]:
    """Return the sections that a run does not have. The steps of a search are told with its capacity."""
    absent = set() if summary.bottleneck else {"bottleneck"}
    if summary.capacity:
        return absent | {"stages"}
    return absent | ({"capacity"} if summary.stages else {"capacity", "stages"})


def _promises(run: Run) -> list[slo.Slo]:
    found = []
    for text in run.slo:
        try:
            found.append(slo.parse(text))
        except slo.SloError:  # of another version: the table shows what became of it, the charts do not
            continue
    return found


def _listed(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return the events for the list, in their order; of very many, trouble is kept first."""
    tones = {"trouble": "fail", "mended": "valid", "plain": "plain"}
    ranked = sorted(events, key=lambda event: (mark_kind(event.kind) == "plain", event.t))[:MOST_EVENTS]
    return [
        {"t": max(0.0, event.t), "kind": event.kind.value, "text": event.text, "tone": tones[mark_kind(event.kind)]}
        for event in sorted(ranked, key=lambda event: event.t)
    ]


def _merged(events: Sequence[Event]) -> list[Event]:
    """Return the events with the workers that were there from the start told as one."""
    first = [event for event in events if is_first_join(event)]
    if len(first) < 2:
        return list(events)
    numbers = ", ".join(map(str, sorted(event.worker for event in first if event.worker is not None)))
    together = replace(first[0], text=f"{len(first)} workers take part: {numbers}")
    return [together if event is first[0] else event for event in events if event not in first[1:]]
