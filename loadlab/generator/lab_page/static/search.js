// A search for the capacity: how it goes, and what it found.

import { h, setText } from "./dom.js";
import { badge, ms, number, percent, throughput, users } from "./format.js";
import { table, tiles } from "./parts.js";

// What a step is at, by the state of the search.
const DOINGS = { ramp: "ramping", settle: "settling", measure: "measuring", recover: "recovering" };

/** Make the view of a search that is on; its update(search) shows how it is going now. */
export function searchView() {
  const [bracket, steps] = [h("p", { class: "hint" }), h("div", { class: "scroll" })];
  const node = h("div", { class: "search" }, h("h3", {}, "Steps"), bracket, steps);

  function update(search) {
    const { held_users: held, broke_users: broke, most_users: most } = search;
    setText(bracket, `${held ? users(held) : "None"} held, ${broke ? users(broke) : "none"} broke; up to ${users(most)}.`);
    const doing = DOINGS[search.state];
    steps.replaceChildren(stepsTable(search.steps.map((each) => ({ ...each, outcome: each.outcome ?? doing }))));
  }

  return { node, update };
}

/** What a search is at, in a line. */
export function searchPhase(search) {
  const step = search.steps.at(-1);
  if (search.state === "over") return "The search is over";
  if (search.state === "recover") return `The target collapsed at ${users(step.users)}: waiting until it answers again`;
  return `Step ${step.number}, ${step.phase}: ${users(step.users)}, ${DOINGS[search.state]}`;
}

/** The figures of what was found, and the steps. */
export function capacityParts(summary) {
  const found = summary.capacity;
  const percentiles = summary.window.ok?.percentiles_ms ?? {};
  const stretch = stretchOf(summary);
  const figures = tiles({
    Capacity: "", Throughput: "at the capacity", Held: "users", Broke: "users", Recommended: "users", Knee: "users",
    p95: stretch, Failed: stretch, Requests: "whole run", Workers: "most at once",
  });
  figures.update([
    capacityUsers(found, summary.validity.level), throughput(found.throughput_rps), number(found.held_users),
    number(found.broke_users), number(found.recommended_users), number(found.knee_users), ms(percentiles.p95),
    percent(summary.window.fail_percent), number(summary.totals.requests), number(summary.workers_max),
  ]);
  return [figures.node, h("h3", {}, "Steps"), h("div", { class: "scroll" }, stepsTable(found.steps, true))];
}

/** What the figures of the window are of. */
function stretchOf({ window, capacity }) {
  const step = capacity.steps.find((each) => each.start_s === window.start_s && each.end_s === window.end_s);
  return step ? `step ${step.number}` : "all steps";
}

function capacityUsers(found, validity) {
  if (found.users !== null) return users(found.users);
  const isVoid = validity === "invalid" && found.ending !== "generator-limited";
  return isVoid ? number(null) : found.held_users ? `≥ ${users(found.held_users)}` : "none";
}

/** The steps; those of a run that is over have figures. */
function stepsTable(steps, hasFigures = false) {
  const heads = ["Users", "Outcome", "Step", ...(hasFigures ? ["Throughput", "p95", "Failed"] : []), "Why"];
  const rows = steps.map((each) => {
    const cells = hasFigures ? [throughput(each.throughput_rps), ms(each.p95_ms), percent(each.fail_percent)] : [];
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, number(each.users)),
      h("td", {}, badge(each.outcome)),
      h("td", {}, `${each.number}, ${each.phase}${each.attempt > 1 ? " again" : ""}`),
      cells.map((text) => h("td", {}, text)),
      h("td", { class: "why" }, each.reason),
    );
  });
  return table("small steps", heads, rows);
}
