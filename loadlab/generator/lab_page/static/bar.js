// In Locust's own UI: the bar above its pages, which tells of the run that is on or was last, and the Lab tab.

import { get } from "./api.js";
import { h } from "./dom.js";
import { badge, title } from "./format.js";
import { runsTable } from "./runs.js";

const EVERY_MS = 4000;
const LATEST = 20;
let list = null; // until the master has answered

/** The Lab tab: Locust puts this element where the tab's content goes. */
class LabRuns extends HTMLElement {
  connectedCallback() {
    this.draw();
  }

  draw() {
    if (list === null) return this.replaceChildren(h("p", {}, "Loading…"));
    const detail = (id) => `/lab#run=${id}`;
    const table = list.runs.length
      ? runsTable(list.runs, { active: list.active, detail, inTab: true })
      : h("p", {}, "There is no run yet.");
    const more = h("p", {}, h("a", { href: "/lab" }, "Open the Lab page"), " to watch, start or find a run.");
    this.replaceChildren(table, more);
  }
}

customElements.define("lab-runs", LabRuns);

function drawBar() {
  const run = list.runs.find((each) => each.id === list.active) ?? list.runs[0];
  if (!run) return;
  const isOn = run.id === list.active;
  const words = (isOn ? [run.status] : [run.verdict, run.validity]).filter(Boolean);
  const name = h("a", { href: `/lab#run=${run.id}` }, title(run));
  const path = `/runs/${encodeURIComponent(run.id)}/report`;
  const report = run.has_report && !isOn ? h("a", { href: path, target: "_blank", rel: "noopener" }, "report") : "";
  const text = document.getElementById("lab-bar-text");
  text.replaceChildren(isOn ? "now " : "last run ", name, ...words.map(badge), report);
}

async function look() {
  try {
    const before = JSON.stringify(list);
    if (!document.hidden) list = await get(`/runs?latest=${LATEST}`);
    if (JSON.stringify(list) !== before) {
      drawBar();
      document.querySelectorAll("lab-runs").forEach((tab) => tab.draw());
    }
  } catch {
    // Locust's page is not about the Lab: what was last known stays.
  }
  setTimeout(look, EVERY_MS);
}

look();
