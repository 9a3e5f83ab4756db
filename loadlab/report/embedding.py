"""Charts as JSON for the page: the same charts give the same text, so that a report made again is the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bokeh
from bokeh.document import Document

from loadlab.report.plots import Chart

SCRIPT = Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js"


def script() -> str:
    """Return the charting library's own script, as its package ships it."""
    return SCRIPT.read_text(encoding="utf-8")


def document(charts: Iterable[Chart]) -> str:
    """Return the JSON of all charts: a document, and which root goes to which element of the page.

    No character of it can end or open a tag: it may stand inside a script element.
    """
    charts = list(charts)
    whole = Document(title="report")
    with whole.models.freeze():  # else Bokeh walks through all models again at each
        for chart in charts:
            whole.add_root(chart.plot)
    numbers: dict[str, str] = {}
    content = _renumbered(whole.to_json(deferred=False), numbers)
    roots = {numbers[chart.plot.id]: chart.root for chart in charts}
    text = json.dumps({"document": content, "roots": roots}, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _renumbered(value: Any, numbers: dict[str, str]) -> Any:
    """Return a JSON value in which models are numbered as they come: Bokeh counts on from the last document's."""
    if isinstance(value, list | tuple):
        return [_renumbered(item, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    is_model = "id" in value and (len(value) == 1 or "type" in value)
    return {
        key: numbers.setdefault(item, f"m{len(numbers)}") if is_model and key == "id" else _renumbered(item, numbers)
        for key, item in value.items()
    }
