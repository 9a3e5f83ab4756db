"""The page of a comparison: like a run's, one file that works offline."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from loadlab.analysis.comparison import Comparison
from loadlab.analysis.likeness import Measured
from loadlab.report import comparison_charts, comparison_view, embedding, pages
from loadlab.report.explain import COMPARISON_TERMS, TERMS

SECTIONS = (
    *(("promises", "Promises"), ("differences", "Differences"), ("load", "Over time"), ("times", "Response times")),
    *(("runs", "Runs"), ("method", "Method")),
)
OF_RUNS = ("slo", "window", "validity", "throughput", "failed", "percentile", "mean", "samples")


def page(comparison: Comparison, a: Sequence[Measured], b: Sequence[Measured]) -> bytes:
    """Return the page of a comparison. The same runs give the same bytes.

    Raises:
        ValueError: a histogram of a recording is damaged.
    """
    over_time, spread = comparison_charts.over_time(a, b), comparison_charts.distribution(a, b)
    theme, report, bokeh = pages.asset("theme.js"), pages.asset("report.js"), Markup(embedding.script())
    values = {
        **comparison_view.of(comparison, a[0].recording.run, b[0].recording.run),
        "over_time": over_time,
        "distribution": spread,
        "terms": {**COMPARISON_TERMS, **{key: TERMS[key] for key in OF_RUNS}},
        "sections": SECTIONS,
        "css": pages.asset("report.css") + pages.asset("comparison.css"),
        "theme_js": theme,
        "report_js": report,
        "bokeh_js": bokeh,
        "policy": pages.policy([theme, bokeh, report]),
        "charts_json": Markup(embedding.document([*over_time, *([spread] if spread else [])])),
    }
    return pages.environment().get_template("comparison.html.j2").render(values).encode("utf-8", "replace")
