// A run that is over: verdict, validity and why, key figures, promises, workers, and where its files are.

import { h } from "./dom.js";
import { badge, measure, mebibytes, ms, number, percent, standing, throughput } from "./format.js";
import { believed, columns, sloList, table, tiles } from "./parts.js";
import { capacityParts } from "./search.js";

const [WINDOW, TOTAL, MOST] = ["measured window", "whole run", "most at once"];
const FIGURES = {
  Throughput: WINDOW, p50: WINDOW, p95: WINDOW, p99: WINDOW, Failed: WINDOW, Requests: TOTAL, Users: MOST, Workers: MOST,
};
const ENDS = ["interrupted", "aborted"];
const ENDED = ["finished", ...ENDS];

/** Make the view of a run that has its summary. */
export function resultView(run) {
  const summary = run.summary;
  const files = `/runs/${encodeURIComponent(run.id)}`;
  const doubts = summary.validity.reasons.filter((reason) => reason.level !== "valid").map((reason) => reason.text);
  const reasons = doubts.length ? doubts : ["No check of the measurement failed."];
  // Of a measurement that cannot be believed, no promise is kept or broken.
  const isVoid = summary.validity.level === "invalid";
  const judged = (each) => ({ ...each, outcome: isVoid ? "void" : each.outcome, said: measure(each.measured, each.unit) });
  const slos = summary.slos.map(judged);
  return h(
    "div",
    { class: "over" },
    h(
      "p",
      { class: "verdict" },
      badge(summary.verdict),
      badge(summary.validity.level),
      ENDS.includes(run.status) ? badge(run.status) : null,
      summary.partial && !ENDS.includes(run.status) ? badge("partial") : null,
    ),
    h("p", { class: "headline" }, summary.headline),
    h(
      "p",
      { class: "links" },
      run.reported ? h("a", { class: "button", href: `${files}/report` }, "Open the report") : null,
      h("a", { class: "button quiet", href: `${files}/archive`, download: true }, "Download all files"),
    ),
    summary.capacity ? capacityParts(summary) : figures(summary),
    columns({ SLOs: sloList(slos), Validity: believed(summary.validity.level, reasons) }),
    h("h3", {}, "Workers"),
    h("div", { class: "scroll" }, workersTable(summary.workers)),
  );
}

function figures({ window, totals, users_max: users, workers_max: workers }) {
  const percentiles = window.ok?.percentiles_ms ?? {};
  const made = tiles(FIGURES);
  made.update([
    throughput(window.throughput_rps), ms(percentiles.p50), ms(percentiles.p95), ms(percentiles.p99),
    percent(window.fail_percent), number(totals.requests), number(users), number(workers),
  ]);
  return made.node;
}

/** Make the view of a run that has none: its report is still being made, or never will be. */
export function pendingView(run, isWaiting) {
  if (isWaiting) return h("p", { class: "state" }, badge("analysing"), "The report is being made.");
  const isCut = !ENDED.includes(run.status);
  const why = isCut ? "It was cut short: its master went away." : `It is ${run.status}.`;
  const remedy = h("code", {}, `./lab report ${run.id}`);
  const archive = `/runs/${encodeURIComponent(run.id)}/archive`;
  const state = badge(isCut ? "aborted" : run.status);
  return h(
    "div",
    {},
    h("p", {}, state, ` ${why} There are no figures: `, remedy, " makes them from its files."),
    h("p", { class: "links" }, h("a", { class: "button quiet", href: archive, download: true }, "Download all files")),
  );
}

function workersTable(workers) {
  const heads = ["Worker", "Fate", "Requests", "Users", "CPU max", "Throttled", "Lag p99", "Memory"];
  const rows = workers.map((each) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", title: each.id }, String(each.worker)),
      h("td", {}, standing(each.fate)),
      h("td", {}, number(each.requests)),
      h("td", {}, number(each.users_max)),
      h("td", { class: each.cpu_max_percent > 90 ? "over" : null }, percent(each.cpu_max_percent)),
      h("td", {}, percent(each.throttled_percent)),
      h("td", { class: each.lag_p99_ms > 10 ? "over" : null }, ms(each.lag_p99_ms)),
      h("td", {}, mebibytes(each.rss_max_bytes)),
    ),
  );
  return table("small", heads, rows);
}
