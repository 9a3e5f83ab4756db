// The table of runs, on the Lab page and in the Lab tab of Locust's own UI.

import { h } from "./dom.js";
import { badge, ms, number, percent, span, throughput, title, users, when } from "./format.js";
import { table } from "./parts.js";

const ENDED = ["finished", "interrupted", "aborted"];

/**
 * Make the table. `shown` is the id of the run that is shown beside it, `detail` makes the link to one of them.
 * With `picking`, finished runs can be ticked: `isPicked` tells of which they are, `pick` is told of a change.
 */
export function runsTable(runs, { active, shown = null, detail, inTab = false, picking = null }) {
  const rows = runs.map((run) => row(run, { active, shown, detail, inTab, picking }));
  const heads = ["Result", "Run", "Load", "Workers", "Throughput", "p95", "Failed", ""];
  if (picking) heads.unshift("Compare");
  return table("runs", heads, rows);
}

function row(run, { active, shown, detail, inTab, picking }) {
  const isOn = run.id === active;
  const cell = (label, ...content) => h("td", { "data-label": label }, content);
  const files = `/runs/${encodeURIComponent(run.id)}`;
  const elsewhere = { target: inTab ? "_blank" : null, rel: inTab ? "noopener" : null };
  return h(
    "tr",
    { class: run.id === shown ? "shown" : null, "aria-current": run.id === shown ? "true" : null },
    picking ? h("td", { class: "pick" }, run.has_report && !isOn ? tick(run, picking) : null) : null,
    h("td", { class: "result" }, h("span", { class: "badges" }, result(run, isOn))),
    h(
      "td",
      { class: "who" },
      h("a", { href: detail(run.id) }, title(run)),
      h("small", { title: run.id }, when(run.started)),
    ),
    cell("Load", load(run)),
    cell("Workers", number(run.workers)),
    cell("Throughput", throughput(run.throughput_rps)),
    cell("p95", ms(run.p95_ms)),
    cell("Failed", percent(run.fail_percent)),
    h(
      "td",
      { class: "links" },
      run.has_report ? link("Report", `Report of ${title(run)}`, { href: `${files}/report`, ...elsewhere }) : null,
      link("Files", `All files of ${title(run)}`, { href: `${files}/archive`, download: true }),
    ),
  );
}

function tick(run, { isPicked, pick }) {
  const onchange = (event) => pick(run, event.target.checked);
  const box = h("input", { type: "checkbox", value: run.id, checked: isPicked(run), onchange });
  return h("label", {}, box, h("span", {}, `Compare ${title(run)}`));
}

function link(text, label, attributes) {
  return h("a", { ...attributes, "aria-label": label }, text);
}

function load(run) {
  const lasted = run.duration_s ? `, ${span(run.duration_s)}` : "";
  if (run.capacity_users !== null) return `capacity ${users(run.capacity_users)}${lasted}`;
  return `${run.users === null ? "" : `${users(run.users)}, `}${run.shape ?? "–"}${lasted}`;
}

/** What came of a run, as badges: while it is on, its state; cut short, that it was. */
function result(run, isOn) {
  if (isOn) return [badge(run.status)];
  const end = run.status === "interrupted" || run.status === "aborted" ? [badge(run.status)] : [];
  if (!ENDED.includes(run.status)) end.push(badge("aborted"));
  if (run.verdict === null) return end.length ? end : [h("span", { class: "badge plain" }, "no figures yet")];
  const verdict = run.verdict === "none" && end.length ? [] : [badge(run.verdict)];
  return [...verdict, badge(run.validity), ...end];
}
