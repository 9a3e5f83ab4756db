// The Lab page: follows the run that is on, shows one that was chosen, lists all.

import { get, MasterAway, post, Refusal } from "./api.js";
import { h, setText, show } from "./dom.js";
import { planForm } from "./form.js";
import { title } from "./format.js";
import { liveView } from "./live.js";
import { pastRuns } from "./past.js";
import { pendingView, resultView } from "./result.js";

const BUSY_MS = 1000;
const IDLE_MS = 5000;
const AWAY_MS = 2000;
const REPORT_MS = 130_000; // the master gives a report two minutes
const FIRST = 50; // runs that are listed before the button for all is pressed
const ENDED = ["finished", "interrupted", "aborted"];

const at = (id) => document.getElementById(id);
const page = {
  list: { active: null, runs: [] },
  listed: 0, // when the list was asked for
  chosen: null, // the run that a link names, else the newest is shown
  run: null, // what was last heard of the run that is shown
  ended: new Map(), // when a run was first seen to be over, by id
  drawn: "", // what the run's card shows now: a live view is kept, and only brought up to date
  view: null,
  isAll: false,
  awaySince: null,
  timer: 0,
};

const drawPast = pastRuns(
  {
    tools: at("past-tools"), byWorkers: at("by-workers"), picked: at("picked"), compare: at("compare"),
    table: at("runs"), more: at("all"),
  },
  showAll,
);

function chooseByLink() {
  const match = /^#run=([\w.-]+)$/.exec(location.hash);
  page.chosen = match ? match[1] : null;
  page.drawn = "";
  look();
}

/** Look at once, and then again and again. */
async function look() {
  clearTimeout(page.timer);
  const turn = (page.turn = (page.turn ?? 0) + 1);
  let next = IDLE_MS;
  try {
    await refresh();
    next = page.list.active !== null || isPending(page.run) ? BUSY_MS : IDLE_MS;
    answered();
  } catch (error) {
    next = AWAY_MS;
    away(error);
  }
  if (turn === page.turn) page.timer = setTimeout(look, next);
}

async function refresh() {
  const id = shownId();
  const before = page.run;
  if (id !== null && !isDone(id)) page.run = await ask(id);
  const hasChanged = ["id", "status", "reported"].some((name) => before?.[name] !== page.run?.[name]);
  if (hasChanged || Date.now() - page.listed >= IDLE_MS) {
    page.list = await get(page.isAll ? "/runs" : `/runs?latest=${FIRST + 1}`);
    page.listed = Date.now();
    drawList();
    if (shownId() !== id) return refresh();
  }
  drawRun();
}

/** What the master says of a run, or that it knows none such. */
async function ask(id) {
  try {
    return await get(`/runs/${encodeURIComponent(id)}`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { id, unknown: error.message, live: null, reported: false };
  }
}

/** The run whose card is shown: the one chosen, the one that is on, or the newest. */
function shownId() {
  return page.chosen ?? page.list.active ?? page.list.runs[0]?.id ?? null;
}

function isDone(id) {
  return page.run?.id === id && page.run.reported && page.run.live === null;
}

/** Tell whether a report is still to come. */
function isPending(run) {
  if (run === null || run.unknown || run.reported || run.live !== null || !ENDED.includes(run.status)) return false;
  if (!page.ended.has(run.id)) page.ended.set(run.id, Date.now());
  const line = page.list.runs.find((each) => each.id === run.id);
  const ended = line ? (line.started + (line.duration_s ?? 0)) * 1000 : 0;
  // By our clock since we saw it, and, as the page may have come later, about by the master's since it was.
  return Date.now() - page.ended.get(run.id) < REPORT_MS && Date.now() - ended < 2 * REPORT_MS;
}

const VIEWS = {
  over: resultView,
  pending: (run) => pendingView(run, true),
  none: (run) => pendingView(run, false),
  unknown: (run) => h("p", { class: "hint" }, run.unknown),
};

function kindOf(run) {
  if (run.unknown) return "unknown";
  if (run.live) return "live";
  if (run.summary) return "over";
  return isPending(run) ? "pending" : "none";
}

function drawRun() {
  const run = page.run;
  if (run === null) return drawNone();
  const kind = kindOf(run);
  const drawn = `${run.id} ${kind} ${run.status === "waiting"}`;
  head(title(run), run.id);
  if (kind !== "live" && drawn === page.drawn) return;
  if (drawn !== page.drawn) {
    page.view = kind === "live" ? liveView(run, () => stop(run.id)) : null;
    at("run-body").replaceChildren(page.view?.node ?? VIEWS[kind](run));
    if (page.drawn) announce(run);
    page.drawn = drawn;
    drawList();
  }
  page.view?.update(run);
  tellTitle(run);
}

/** Say how a first run is started. */
function drawNone() {
  if (page.drawn === "none") return;
  page.drawn = "none";
  setText(at("run-title"), "No run yet");
  const command = h("code", {}, "./lab run");
  const hint = h("p", { class: "hint" }, "Start one here, in Locust’s own UI, or with ", command, ".");
  at("run-body").replaceChildren(hint);
}

function head(name, id) {
  setText(at("run-title"), name);
  setText(at("run-id"), id);
  show(at("run-id"), name !== id);
}

function drawList() {
  const isBusy = page.list.active !== null;
  show(at("busy"), isBusy);
  show(at("plan"), !isBusy);
  document.body.classList.toggle("busy", isBusy);
  drawPast(page.list.runs, { active: page.list.active, shown: shownId(), first: page.isAll ? undefined : FIRST });
}

function showAll() {
  page.isAll = true;
  page.listed = 0;
  look();
}

function tellTitle(run) {
  const { live, summary } = run;
  const words = [title(run), "Lab"];
  if (live?.planned_s) words.unshift(`${Math.min(100, Math.floor((100 * live.elapsed_s) / live.planned_s))}%`);
  if (!live && summary) words.unshift(summary.verdict === "none" ? summary.validity.level : summary.verdict);
  document.title = words.join(" · ");
}

/** Say to those who do not see the page what has changed. */
function announce(run) {
  setText(at("announce"), `${title(run)}: ${run.summary?.headline ?? run.status ?? run.unknown}`);
}

async function stop(id) {
  try {
    await post(`/runs/${encodeURIComponent(id)}/stop`);
  } catch (error) {
    page.drawn = ""; // the button can be pressed again
    away(error);
  }
  look();
}

function answered() {
  page.awaySince = null;
  show(at("away"), false);
  document.body.classList.remove("away");
}

function away(error) {
  if (error instanceof MasterAway) {
    page.awaySince ??= new Date();
    const since = page.awaySince.toLocaleTimeString("en-GB");
    setText(at("away"), `The master has not answered since ${since}. This page keeps asking.`);
  } else setText(at("away"), error.message);
  show(at("away"), true);
  document.body.classList.add("away");
}

planForm(at("plan"), {
  refusal: at("refusal"),
  hint: at("shape-hint"),
  search: at("search-fields"),
  onStarted: () => {
    page.listed = 0;
    if (location.hash) location.hash = "";
    else chooseByLink();
  },
});
at("all").addEventListener("click", showAll);
addEventListener("hashchange", chooseByLink);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
chooseByLink();
