// A run that is on: how far it is, its load, its answers, its promises so far, its workers.

import { chart } from "./chart.js";
import { h, setText, show } from "./dom.js";
import { badge, measure, mebibytes, ms, number, percent, span, standing, throughput, users } from "./format.js";
import { believed, columns, sloList, table, tiles } from "./parts.js";
import { searchPhase, searchView } from "./search.js";

// Over what time figures are: what WINDOW_S and SERIES_S are in the master's live.py.
const [RECENT, SERIES, TOTAL] = ["last 5 s", "Each second of the last 2 min", "since the start"];
const FIGURES = {
  Users: "now", Throughput: RECENT, p50: RECENT, p95: RECENT, p99: RECENT, Failed: TOTAL, Requests: TOTAL,
};
const STATES = { draining: "Stopping: the last reports come in", running: "Users are being started" };

/** Make the view of a run; its update(run) shows how it is going now. `onStop` is called by its button. */
export function liveView(run, onStop) {
  const search = run.plan.shape === "capacity" ? searchView() : null;
  const [state, clock] = [h("span"), h("span", { class: "hint" })];
  const bar = h("progress", { "aria-label": "How far the run is" });
  const stop = h("button", { class: "button stop", type: "button", onclick: () => { lock(stop); onStop(); } }, "Stop");
  const figures = tiles(FIGURES);
  const charts = {
    throughput_rps: chart("Throughput", throughput),
    p95_ms: chart("p95", ms),
    users: chart("Users", number),
    fail_percent: chart("Failed", percent),
  };
  const [promises, validity, workers] = [h("div"), h("div"), h("div", { class: "scroll" })];
  const node = h(
    "div",
    { class: "live" },
    h("div", { class: "state" }, h("p", {}, state, clock), stop),
    bar,
    figures.node,
    h("h3", {}, SERIES),
    h("div", { class: "charts" }, Object.values(charts).map((each) => each.node)),
    search?.node,
    columns({ [search ? "SLOs, of the step" : "SLOs, since the first ramp"]: promises, Validity: validity }),
    h("h3", {}, "Workers"),
    workers,
  );

  function update(run) {
    const live = run.live;
    setText(state, phase(run.status, live));
    setText(clock, times(live));
    progress(bar, live);
    show(stop, run.status !== "draining");
    figures.update([
      `${number(live.users)} of ${number(live.target_users)}`, throughput(live.throughput_rps), ms(live.p50_ms),
      ms(live.p95_ms), ms(live.p99_ms), percent(live.fail_percent), number(live.requests),
    ]);
    const limit = live.slos.map((each) => /^p95\s*<=?\s*([\d.]+)\s*(us|ms|s|)$/.exec(each.text)).find(Boolean);
    for (const [name, each] of Object.entries(charts)) {
      each.update(live.series.t, live.series[name], name === "p95_ms" && limit ? inMs(limit) : null);
    }
    promises.replaceChildren(sloList(live.slos.map((each) => ({ ...each, said: measure(each.measured, each.unit) }))));
    validity.replaceChildren(believed(live.validity.level, live.validity.reasons));
    if (live.search) search?.update(live.search);
    workers.replaceChildren(workersTable(live.workers));
  }

  return { node, update };
}

function lock(button) {
  button.disabled = true;
  setText(button, "Stopping…");
}

function phase(status, live) {
  if (status === "waiting") return `Waiting for workers: ${live.workers_ready} of ${live.workers_expected} are ready`;
  if (status !== "running") return STATES[status] ?? status;
  if (live.search) return searchPhase(live.search);
  const ofTarget = `${number(live.users)} of ${number(live.target_users)}`;
  if (live.users < live.target_users) return `Users are being started: ${ofTarget}`;
  if (live.users > live.target_users) return `Users are being stopped: ${ofTarget}`;
  const held = users(live.users);
  return live.stages > 1 ? `Stage ${live.stage} of ${live.stages}: ${held}` : `Holding ${held}`;
}

function times(live) {
  const elapsed = span(live.elapsed_s);
  if (live.planned_s === null) return `${elapsed}, until it is stopped`;
  return `${elapsed} of ${live.search ? "at most " : ""}${span(live.planned_s)}`;
}

function progress(bar, live) {
  if (live.planned_s === null) bar.removeAttribute("value");
  else bar.value = Math.min(1, live.elapsed_s / live.planned_s);
}

function inMs([, value, unit]) {
  return Number(value) * { us: 0.001, ms: 1, s: 1000, "": 1 }[unit];
}

function workersTable(workers) {
  if (!workers.length) return h("p", { class: "hint" }, "There is no worker.");
  const heads = ["Worker", "State", "Users", "CPU", "Lag p99", "Memory"];
  const rows = [...workers].sort((one, other) => one.worker - other.worker).map((each) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", title: each.id }, String(each.worker)),
      h("td", {}, standing(each.state)),
      h("td", {}, number(each.users)),
      h("td", { class: each.cpu_percent > 90 ? "over" : null }, percent(each.cpu_percent)),
      h("td", { class: each.lag_ms > 10 ? "over" : null }, ms(each.lag_ms)),
      h("td", {}, mebibytes(each.memory_bytes)),
    ),
  );
  return table("small", heads, rows);
}
