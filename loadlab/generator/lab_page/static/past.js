// The runs that are kept: those of one worker count, and two of them to be compared.

import { h, setText, show } from "./dom.js";
import { number, title } from "./format.js";
import { runsTable } from "./runs.js";

const HINTS = ["Tick two runs to compare them.", "Tick the one to compare it with."];

/** Take over the section of runs; `onAll` is called when all of them are wanted, not only the latest. */
export function pastRuns({ tools, byWorkers, picked, compare, table, more }, onAll) {
  let picks = []; // runs, as they were ticked
  let drawn = "";

  function pick(run, isPicked) {
    picks = picks.filter((each) => each.id !== run.id);
    if (isPicked) picks.push(run);
    picks = picks.slice(-2); // a third one takes the place of the first
    table.querySelectorAll("input").forEach((box) => { box.checked = picks.some((each) => each.id === box.value); });
    drawTools();
  }

  /** The older run is A, what was; the newer one is B, what is. */
  function drawTools() {
    const [a, b] = [...picks].sort((one, other) => (one.id < other.id ? -1 : 1));
    setText(picked, b ? `A is ${title(a)}, B is ${title(b)}.` : HINTS[picks.length]);
    if (b) compare.href = `/runs/compare?a=${encodeURIComponent(a.id)}&b=${encodeURIComponent(b.id)}`;
    show(compare, b !== undefined);
  }

  function drawChoice(runs) {
    const counts = [...new Set(runs.map((run) => run.workers).filter(Boolean))].sort((one, other) => one - other);
    if (byWorkers.value && !counts.includes(Number(byWorkers.value))) counts.push(Number(byWorkers.value));
    if (counts.length + 1 === byWorkers.options.length) return;
    const chosen = byWorkers.value;
    const option = (value, text) => h("option", { value, selected: String(value) === chosen }, text);
    byWorkers.replaceChildren(option("", "any number"), ...counts.map((count) => option(count, number(count))));
  }

  byWorkers.addEventListener("change", onAll);

  /** Draw the runs, the first so many; again only where something has changed: a tick keeps its focus. */
  return function draw(runs, { active, shown, first }) {
    drawChoice(runs);
    const wanted = byWorkers.value ? runs.filter((run) => run.workers === Number(byWorkers.value)) : runs;
    const some = wanted.slice(0, first);
    const state = JSON.stringify([some, active, shown]);
    show(tools, runs.length > 0);
    show(more, some.length < wanted.length);
    if (state === drawn) return;
    drawn = state;
    const detail = (id) => `#run=${id}`;
    const isPicked = (run) => picks.some((each) => each.id === run.id);
    table.replaceChildren(
      some.length
        ? runsTable(some, { active, shown, detail, picking: { isPicked, pick } })
        : h("p", { class: "hint" }, runs.length ? "None had so many workers." : "There is none yet."),
    );
    drawTools();
  };
}
