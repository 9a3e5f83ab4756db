// Parts that a live and a finished run have in common.

import { h, setText } from "./dom.js";
import { badge } from "./format.js";

/** Make a row of figures: by their names, what each is of. Its update(texts) sets them, in that order. */
export function tiles(scopes) {
  const values = Object.keys(scopes).map(() => h("dd"));
  const tile = ([name, scope], index) =>
    h("div", {}, h("dt", {}, name), values[index], scope ? h("dd", { class: "hint" }, scope) : null);
  const node = h("dl", { class: "tiles" }, Object.entries(scopes).map(tile));
  return { node, update: (texts) => texts.forEach((text, index) => setText(values[index], text)) };
}

/** Make the list of SLOs: how each is judged, what was `said` to be measured, and why, where there is a `reason`. */
export function sloList(slos) {
  if (!slos.length) return h("p", { class: "hint" }, "None were made.");
  const items = slos.map((each) =>
    h(
      "li",
      {},
      badge(each.outcome),
      h("code", {}, each.text),
      h("span", {}, each.said),
      each.reason ? h("small", {}, each.reason) : null,
    ),
  );
  return h("ul", { class: "slos" }, items);
}

/** Say how far a measurement can be believed, and why not further. */
export function believed(level, reasons) {
  return h("div", { class: "validity" }, badge(level), h("ul", {}, reasons.map((text) => h("li", {}, text))));
}

/** Put parts beside each other, each under its name. */
export function columns(parts) {
  const made = Object.entries(parts).map(([name, part]) => h("div", {}, h("h3", {}, name), part));
  return h("div", { class: "columns" }, made);
}

/** Make a table of rows. */
export function table(kind, heads, rows) {
  const head = h("tr", {}, heads.map((each) => h("th", { scope: "col" }, each)));
  return h("table", { class: kind }, h("thead", {}, head), h("tbody", {}, rows));
}
