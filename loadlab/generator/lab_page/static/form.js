// The form of a new run: what each shape does, and the plan that was filled in.

import { post, Refusal } from "./api.js";
import { setText, show } from "./dom.js";

const SHAPES = {
  steady: "All users, for the time.",
  steps: "Five equal steps up, each for a fifth of the time.",
  spike: "A fifth of the users, then all, then a fifth again, for 40, 20 and 40% of the time.",
  soak: "All users, for long: what leaks or fills up shows.",
};
const RAMPS = " Ramps come on top.";
const SEARCH =
  "Doubles the users until an SLO breaks, halves the gap until it is within the precision, then holds both its ends for " +
  "longer. Ends when the time is up at the latest.";
const SPAN = /^(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?$/;
// The field of a value that the master may complain of.
const FIELDS = { time_s: "time" };

/** Take over the form; `search` are the fields that only a search has, `onStarted` is told the id of the run. */
export function planForm(form, { refusal, hint, search, onStarted }) {
  const fields = form.elements;
  let wasSearch = false;
  const describe = () => {
    const isSearch = fields.shape.value === "capacity";
    setText(hint, isSearch ? SEARCH : SHAPES[fields.shape.value] + RAMPS);
    if (isSearch !== wasSearch) turn(form);
    show(search, isSearch);
    wasSearch = isSearch;
  };
  fields.shape.addEventListener("change", describe);
  describe();
  form.addEventListener("input", (event) => event.target.removeAttribute("aria-invalid"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    show(refusal, false);
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    try {
      onStarted((await post("/runs", plan(fields))).id);
    } catch (error) {
      setText(refusal, error instanceof Refusal ? error.message : "The master does not answer.");
      show(refusal, true);
      mark(fields, refusal.textContent);
    } finally {
      button.disabled = false;
    }
  });
}

/** Turn names and values to those of a search for the capacity, or back: each keeps its own. */
function turn(form) {
  for (const node of form.querySelectorAll("[data-search]")) {
    const what = node instanceof HTMLInputElement ? "value" : "textContent";
    [node[what], node.dataset.search] = [node.dataset.search, node[what]];
  }
}

/** The plan that was filled in. What is no number goes as it is: the master says what is wrong with it. */
function plan(fields) {
  const text = (name) => fields[name].value.trim();
  const amount = (name) => {
    if (text(name) === "") return null;
    return Number.isNaN(Number(text(name))) ? text(name) : Number(text(name));
  };
  const ofSearch = { start_users: amount("start_users"), precision_percent: amount("precision_percent") };
  return {
    users: amount("users"),
    spawn_rate: amount("spawn_rate"),
    time_s: seconds(text("time")),
    shape: text("shape"),
    scenario: text("scenario") || null,
    workers: amount("workers"),
    slos: text("slos").split("\n").map((line) => line.trim()).filter(Boolean),
    name: text("name"),
    ...(text("shape") === "capacity" ? ofSearch : {}),
  };
}

function seconds(text) {
  const match = SPAN.exec(text);
  if (!text) return null;
  if (!match) throw new Refusal(`time ${text} is not allowed. Write seconds, or such as 90s, 2m, 1h30m.`);
  const [hours, minutes, rest] = match.slice(1).map((group) => Number(group ?? 0));
  return hours * 3600 + minutes * 60 + rest;
}

/** Mark the fields that the lines of a refusal begin with. */
function mark(fields, message) {
  const names = message.split("\n").map((line) => line.split(" ")[0]);
  const found = names.map((name) => fields[name.startsWith("'") ? "slos" : FIELDS[name] ?? name]).filter(Boolean);
  for (const field of found) field.setAttribute("aria-invalid", "true");
  found[0]?.focus();
}
