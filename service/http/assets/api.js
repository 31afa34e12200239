// Requests to the server; what goes wrong is an Error whose message is the server's own explanation.

import { word } from "/assets/words.js";

export const byId = (id) => document.getElementById(id);

export function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, options) {
  const answer = await fetch(path, { credentials: "same-origin", ...options }).catch(() => {
    throw new Refused(0, word("offline"));
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const told = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, told.detail || `${answer.status} ${answer.statusText}`);
}

export const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body || {}) });

// Sent again with the same word, a submit makes no second job.
const onceKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const submitDocuments = (options, documents) =>
  ask("/v1/jobs", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": onceKey() },
    body: JSON.stringify({ ...options, documents }),
  });

export const submitLines = (options, file) =>
  ask(`/v1/jobs?${new URLSearchParams(options)}`, {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson", "Idempotency-Key": onceKey() },
    body: file,
  });

export const jobPath = (id, rest) => `/v1/jobs/${encodeURIComponent(id)}${rest || ""}`;

let offline = false; // what is told is that the server does not answer

export function tell(error) {
  offline = Boolean(error) && error.status === 0;
  byId("problem").textContent = error ? error.message : "";
  byId("problem").hidden = !error;
}

export function answersAgain() {
  if (offline) tell(null);
}
