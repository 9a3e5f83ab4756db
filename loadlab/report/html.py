"""The page: one file of HTML with everything in it, that works from a file and asks no network for anything.

A Content-Security-Policy in the page itself forbids every request and every script but the three that are in it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loadlab.analysis import saturation, series, slo
from loadlab.analysis.recording import Event, Recording, Run
from loadlab.analysis.summary import PERCENTILES, Summary
from loadlab.report import charts, embedding, view
from loadlab.report.explain import TERMS
from loadlab.report.plots import Chart, TimeAxis, is_first_join, mark_kind

TEMPLATES = Path(__file__).parent / "templates"
SECTIONS = (
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
    promises = _promises(run)
    drawn = {
        "load_charts": charts.load_charts(lines, axis, promises),
        "worker_charts": charts.worker_charts(lines, axis),
        "target_charts": charts.target_charts(lines, axis),
    }
    spread = charts.distribution(lines, summary, promises)
    every: list[Chart] = [chart for some in drawn.values() for chart in some] + ([spread] if spread else [])
    told = _merged(recording.events)
    theme, report, bokeh = _asset("theme.js"), _asset("report.js"), Markup(embedding.script())
    values = {
        **view.of(summary, run),
        **drawn,
        "distribution": spread,
        "events": _listed(told),
        "events_count": len(told),
        "step_s": lines.step_s,
        "ranks": [f"p{rank:g}" for rank in PERCENTILES],
        "cpu_most": 100 * saturation.CPU_MOST,
        "lag_most": saturation.LAG_MOST_MS,
        "throttled_most": 100 * saturation.THROTTLED_MOST,
        "terms": TERMS,
        "sections": [(key, name) for key, name in SECTIONS if getattr(summary, key, True)],
        "css": _asset("report.css"),
        "theme_js": theme,
        "report_js": report,
        "bokeh_js": bokeh,
        "policy": _policy([theme, bokeh, report]),
        "charts_json": Markup(embedding.document(every)),
    }
    return _environment().get_template("report.html.j2").render(values).encode("utf-8", "replace")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _policy(scripts: Sequence[str]) -> str:
    """Return a policy that allows these scripts and no request at all. Bokeh sets styles; its icons are data."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'"
    return f"{nothing}; script-src {allowed}; style-src 'unsafe-inline'; img-src data:"


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
