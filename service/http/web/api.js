// Requests to the server; what goes wrong is an Error whose message is the server's own explanation.

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
  const answer = await fetch(path, { credentials: "same-origin", ...options });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const told = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, told.detail || `${answer.status} ${answer.statusText}`);
}

export const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body || {}) });

// Sent again with the same word, a submit makes no second job.
const word = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const submitDocuments = (options, documents) =>
  ask("/v1/jobs", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": word() },
    body: JSON.stringify({ ...options, documents }),
  });

export const submitLines = (options, file) =>
  ask(`/v1/jobs?${new URLSearchParams(options)}`, {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson", "Idempotency-Key": word() },
    body: file,
  });

export const jobPath = (id, rest) => `/v1/jobs/${encodeURIComponent(id)}${rest || ""}`;

let failing = "";

export function tell(error) {
  failing = error ? error.message : "";
  byId("problem").textContent = failing;
  byId("problem").hidden = !failing;
}
