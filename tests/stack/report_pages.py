"""Reports in a browser: how they are opened, what is painted in them, and their screenshots."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, ViewportSize, expect

DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=390, height=844)
# How many pixels of a chart are painted, and the mean brightness of its axis labels, through Bokeh's shadow roots.
CANVAS = """(id) => {
    const find = (node) => {
        for (const element of node.querySelectorAll('*')) {
            if (element.tagName === 'CANVAS' && element.width > 100) return element;
            const inner = element.shadowRoot && find(element.shadowRoot);
            if (inner) return inner;
        }
        return null;
    };
    const canvas = find(document.getElementById(id));
    return canvas && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
}"""
PAINTED = f"""id => {{
    const image = ({CANVAS})(id);
    return image ? image.data.filter((value, i) => i % 4 == 3 && value > 60).length : 0;
}}"""
LABEL_BRIGHTNESS = f"""id => {{
    const image = ({CANVAS})(id), values = [];
    for (let y = Math.round(image.height * 0.9); y < image.height; y++)
        for (let x = 0; x < image.width; x++) {{
            const i = 4 * (y * image.width + x);
            if (image.data[i + 3] > 200) values.push(image.data[i]);
        }}
    return values.reduce((sum, value) => sum + value, 0) / values.length;
}}"""
SHOWN = """() => Bokeh.documents[0].roots().map(root => root.x_range).map(one => [one.name, one.start, one.end])"""
FRAME = """id => {
    const frame = Array.from(Bokeh.index.roots).find(view => view.el.parentElement.id == id).frame.bbox;
    const range = Bokeh.documents[0].roots()[0].x_range;
    return {x: frame.x, y: frame.y, width: frame.width, height: frame.height, end: range.end};
}"""


class Opener:
    """Opens pages, each in a window of its own, and notes what goes wrong in them."""

    def __init__(self, browser: Browser, complaints: list[str]) -> None:
        self.browser, self.complaints = browser, complaints
        self.contexts: list[BrowserContext] = []

    def open(self, path: Path, *, dark: bool = False, phone: bool = False) -> Page:
        """Return the page, drawn."""
        context = self.browser.new_context(
            color_scheme="dark" if dark else "light",
            viewport=PHONE if phone else DESKTOP,
            is_mobile=phone,
            has_touch=phone,
        )
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._note_dialog)
        page.on("request", lambda request: self._note_request(request.url, path))
        page.goto(path.as_uri())
        expect(page.locator("html")).to_have_attribute("data-drawn", "yes", timeout=30_000)
        return page

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith("Canvas2D"):  # which is of our looking
            self.complaints.append(message.text)

    def _note_dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _note_request(self, url: str, path: Path) -> None:
        if url != path.as_uri() and not url.startswith("data:"):
            self.complaints.append(f"asked for {url}")


def keep(page: Page, name: str) -> None:
    """Keep a screenshot of the whole page where somebody asked for it."""
    if os.environ.get("LAB_SCREENSHOTS"):
        folder = Path(os.environ["LAB_SCREENSHOTS"])
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"report-{name}.png", full_page=True)
