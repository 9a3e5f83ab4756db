// Says figures in words, with their units; what is not known is a dash.

import { h } from "./dom.js";

const NONE = "–";
const GAP = "\u00a0"; // a figure and its unit stay on one line
const TONES = {
  pass: "good", valid: "good",
  degraded: "warn", undecided: "warn", interrupted: "warn", partial: "warn", left: "warn",
  "insufficient samples": "warn",
  fail: "bad", aborted: "bad", lost: "bad", missing: "bad", collapsed: "bad",
  invalid: "void",
  waiting: "live", running: "live", draining: "live", analysing: "live",
  ramping: "live", settling: "live", measuring: "live", recovering: "live",
};
const WORDS = { none: "no verdict" };

/** A measured value to three digits that count, whole from 100 on. */
export function number(value) {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Milliseconds, from ten seconds on in seconds. */
export function ms(value) {
  if (value === null || value === undefined) return NONE;
  return value < 10_000 ? `${number(value)}${GAP}ms` : `${number(value / 1000)}${GAP}s`;
}

/** A share in percent; one that is not zero never reads as zero. */
export function percent(value) {
  if (value === null || value === undefined) return NONE;
  if (Number.isInteger(value)) return `${value}%`;
  return value < 0.01 ? "<0.01%" : `${value.toFixed(value < 10 || value > 99 ? 2 : 1)}%`;
}

/** Requests per second. */
export function throughput(value) {
  return value === null || value === undefined ? NONE : `${number(value)}/s`;
}

/** A measured value in the unit that an SLO has. */
export function measure(value, unit) {
  if (value === null || value === undefined) return NONE;
  if (unit === "ms") return ms(value);
  return unit === "%" ? percent(value) : `${number(value)}${unit}`;
}

/** A span of time in its two greatest units. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const whole = Math.round(seconds);
  const units = [[86_400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];
  for (const [size, unit, smaller, smallUnit] of units) {
    if (whole < size) continue;
    const rest = Math.floor((whole % size) / smaller);
    return `${Math.floor(whole / size)}${GAP}${unit}${rest ? `${GAP}${rest}${GAP}${smallUnit}` : ""}`;
  }
  return `${whole}${GAP}s`;
}

/** A time of day, with its date unless it is today's; Unix seconds in, the browser's own time zone out. */
export function when(unix) {
  if (!unix) return NONE;
  const then = new Date(unix * 1000);
  const clock = then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (then.toDateString() === new Date().toDateString()) return clock;
  const sameYear = then.getFullYear() === new Date().getFullYear();
  const day = { day: "numeric", month: "short", ...(sameYear ? {} : { year: "numeric" }) };
  return `${then.toLocaleDateString("en-GB", day)} ${clock}`;
}

/** Bytes in MiB. */
export function mebibytes(value) {
  return value ? `${number(value / 1024 ** 2)}${GAP}MiB` : NONE;
}

/** A badge whose colour and word say the same. */
export function badge(word) {
  return h("span", { class: `badge ${TONES[word] || "plain"}` }, WORDS[word] || word);
}

/** A worker's state or fate: a badge where it is one to look at, else plain words. */
export function standing(word) {
  return word in TONES && TONES[word] !== "live" ? badge(word) : word;
}

/** Users by their number. */
export function users(count) {
  return `${number(count)}${GAP}${count === 1 ? "user" : "users"}`;
}

/** The name that people know a run by. */
export function title(run) {
  return run.name || run.plan?.name || run.id;
}
