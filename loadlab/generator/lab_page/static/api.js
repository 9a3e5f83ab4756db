// Asks the master. An answer that is none, or not in time, is a MasterAway; one that says no is a Refusal.

const PATIENCE_MS = 8000;

export class MasterAway extends Error {}
export class Refusal extends Error {}

/** GET a document. */
export function get(path) {
  return ask(path, {});
}

/** POST one, or nothing. */
export function post(path, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: body === undefined ? undefined : JSON.stringify(body) });
}

async function ask(path, options) {
  let answer;
  let document;
  try {
    answer = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    document = await answer.json();
  } catch (error) {
    if (answer?.redirected) throw new Refusal("You are no longer logged in: load this page again.");
    throw new MasterAway(String(error));
  }
  if (!answer.ok) throw new Refusal(document.message ?? `The master answered ${answer.status}.`);
  return document;
}
