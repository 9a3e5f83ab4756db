// A small chart of the last two minutes: a line, its latest value in words, and the value under the pointer.

import { h, setText, svg } from "./dom.js";

const [WIDTH, HEIGHT, MARGIN] = [300, 64, 3];

/** Make a chart; `limit` draws a line where a promise ends. Its update(t, values, limit) draws, gaps for nulls. */
export function chart(name, format) {
  const line = svg("path", { class: "line" });
  const area = svg("path", { class: "area" });
  const promise = svg("line", { class: "limit", x1: 0, x2: WIDTH, visibility: "hidden" });
  const pointer = svg("line", { class: "pointer", y1: 0, y2: HEIGHT, visibility: "hidden" });
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
    area, promise, line, pointer,
  );
  const [now, top] = [h("strong"), h("span", { class: "hint" })];
  const node = h("figure", { class: "chart" }, h("figcaption", {}, name, now), picture, top);
  let drawn = { t: [], values: [] };
  let pointed = null;

  function say() {
    const { t, values } = drawn;
    const last = values.findLast((value) => value !== null);
    const index = pointed === null ? null : Math.round(pointed * (values.length - 1));
    setText(now, format(index === null ? last ?? null : values[index]));
    const peak = values.length ? `max ${format(most(values))}` : "";
    setText(top, index === null ? peak : `${t[t.length - 1] - t[index]} s ago`);
    picture.setAttribute("aria-label", `${name}, last ${values.length} s: now ${format(last ?? null)}, ${peak}`);
  }

  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    if (drawn.values.length < 2) return;
    pointed = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    for (const end of ["x1", "x2"]) pointer.setAttribute(end, pointed * WIDTH);
    pointer.setAttribute("visibility", "visible");
    say();
  });
  picture.addEventListener("pointerleave", () => {
    pointed = null;
    pointer.setAttribute("visibility", "hidden");
    say();
  });

  function update(t, values, limit = null) {
    drawn = { t, values };
    const highest = Math.max(most(values) ?? 0, limit !== null && limit < 3 * (most(values) ?? 0) ? limit : 0) || 1;
    const y = (value) => HEIGHT - MARGIN - (value / highest) * (HEIGHT - 2 * MARGIN);
    const x = (index) => (values.length > 1 ? (index / (values.length - 1)) * WIDTH : 0);
    const point = (index) => `${x(index).toFixed(1)},${y(values[index]).toFixed(1)}`;
    const strokes = pieces(values).map((piece) => piece.map(point));
    line.setAttribute("d", strokes.map((points) => `M${points.join("L")}${points.length === 1 ? "h.1" : ""}`).join(""));
    area.setAttribute("d", strokes.map((points) => closed(points)).join(""));
    const isInside = limit !== null && limit <= highest;
    promise.setAttribute("visibility", isInside ? "visible" : "hidden");
    for (const end of ["y1", "y2"]) promise.setAttribute(end, isInside ? y(limit) : 0);
    say();
  }

  return { node, update };
}

function most(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? Math.max(...known) : null;
}

/** The stretches of indices without a null between them. */
function pieces(values) {
  const found = [];
  values.forEach((value, index) => {
    if (value === null) return;
    if (index && values[index - 1] !== null) found[found.length - 1].push(index);
    else found.push([index]);
  });
  return found;
}

function closed(points) {
  const [first, last] = [points[0].split(",")[0], points[points.length - 1].split(",")[0]];
  return `M${first},${HEIGHT}L${points.join("L")}L${last},${HEIGHT}Z`;
}
