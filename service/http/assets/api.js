// Requests to the server; what goes wrong is an Error whose message is the server's own explanation.

import { byId, visible } from "/assets/dom.js";
import { word } from "/assets/words.js";

export class Refused extends Error {
  constructor(status, message, kind) {
    super(message);
    this.status = status;
    this.kind = kind || "";
  }
}

export async function ask(path, request) {
  const answer = await fetch(path, { credentials: "same-origin", ...request }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, word("offline"));
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const told = await answer.json().catch(() => ({}));
  const kind = String(told.type || "").split(":").pop();
  throw new Refused(answer.status, told.detail || `${answer.status} ${answer.statusText}`, kind);
}

const JSON_TYPE = { "Content-Type": "application/json" };

export const post = (path, body, request) =>
  ask(path, { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body || {}), ...request });
export const put = (path, body) => ask(path, { method: "PUT", headers: JSON_TYPE, body: JSON.stringify(body) });
export const remove = (path) => ask(path, { method: "DELETE" });

// A path out of parts, each escaped; with a query of what is neither empty nor null.
export function at(parts, query) {
  const path = `/v1/${parts.map(encodeURIComponent).join("/")}`;
  const given = Object.entries(query || {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

// Where a place of these pages is: #/part/part?query
export function place(parts, query) {
  const found = at(parts, query).slice("/v1".length);
  return `#${found}`;
}

// Sent again with the same key, a submit makes no second job.
const onceKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const submitDocuments = (options, documents) =>
  ask("/v1/jobs", {
    method: "POST",
    headers: { ...JSON_TYPE, "Idempotency-Key": onceKey() },
    body: JSON.stringify({ ...options, documents }),
  });

export const submitLines = (options, file) =>
  ask(`/v1/jobs?${new URLSearchParams(options)}`, {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson", "Idempotency-Key": onceKey() },
    body: file,
  });

let offline = false; // the server did not answer the last time

export function tell(error) {
  if (error && error.name === "AbortError") return;
  offline = Boolean(error) && error.status === 0;
  byId("problem-text").textContent = error ? visible(error.message) : "";
  byId("problem").hidden = !error;
}

export function answersAgain() {
  if (offline) tell(null);
}
