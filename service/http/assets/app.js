// The page: a key where one is needed, the form, the list of jobs.

import { answersAgain, ask, byId, make, post, submitDocuments, submitLines, tell } from "/assets/api.js";
import { onChange, openJob, share, shownJob, shutJob } from "/assets/job.js";
import { counted, onLanguage, speak, spoken, word } from "/assets/words.js";

const EVERY_MS = 4000;
const STREAMED = /\.(jsonl|ndjson)$/i;
let labelSets = [];
let last = null; // the last list of jobs
let inside = false;

// ---- who ----

async function enter() {
  const session = await ask("/v1/session");
  inside = session.name !== null;
  byId("key-form").hidden = inside;
  byId("inside").hidden = !inside;
  byId("leave").hidden = !inside || !session.key_needed;
  if (!inside) {
    shutJob();
    byId("key").focus();
    return;
  }
  await Promise.all([loadLabels(), refresh()]);
  await openFromAddress();
}

byId("key-form").addEventListener("submit", (event) => attempt(event, async () => {
  await post("/v1/session", { key: byId("key").value });
  byId("key").value = "";
  await enter();
}));
byId("leave").addEventListener("click", (event) => attempt(event, async () => {
  await ask("/v1/session", { method: "DELETE" });
  location.hash = "";
  await enter();
}));

async function attempt(event, work) {
  event.preventDefault();
  try {
    tell(null);
    await work();
  } catch (error) {
    if (error.status === 401 && inside) await enter();
    tell(error);
  }
}

// ---- options ----

async function loadLabels() {
  const found = await ask("/v1/labels");
  labelSets = found.labels;
  byId("labels").replaceChildren(...labelSets.map((one) => make("option", { value: one.name }, one.name)));
  byId("labels").value = found.default;
  renderChoices();
}

function renderChoices() {
  const chosen = labelSets.find((one) => one.name === byId("labels").value);
  if (!chosen) return;
  const usual = (what) => `${word("by_default")}${what ? ` (${what})` : ""}`;
  choices("taggers", usual(chosen.default_taggers.join(", ")), chosen.taggers.map((one) => [one, one]));
  choices("filter", usual(""), [["off", word("off")], ...chosen.filters.map((one) => [one, one])]);
  const judges = ["hard-vote", "best-tagger", "filter-score", "select"];
  choices("judge", usual(chosen.default_judge), judges.map((one) => [one, one]));
}

function choices(id, usual, rows) {
  const before = byId(id).value;
  const options = [["", usual], ...rows].map(([value, text]) => make("option", { value }, text));
  byId(id).replaceChildren(...options);
  if (rows.some(([value]) => value === before)) byId(id).value = before;
}

function options() {
  const chosen = {};
  for (const id of ["name", "labels", "taggers", "filter", "judge", "priority"]) {
    const value = byId(id).value.trim();
    if (value) chosen[id] = value;
  }
  return chosen;
}

// ---- submitting ----

byId("submit-form").addEventListener("submit", (event) => attempt(event, async () => {
  byId("submit").disabled = true;
  byId("submit-said").textContent = word("submitting");
  try {
    const job = await submit();
    byId("submit-said").textContent = word("submitted", { documents: counted(job.documents), sentences: counted(job.sentences) });
    byId("submit-form").reset();
    renderChoices();
    await refresh();
    location.hash = `job=${job.id}`;
  } catch (error) {
    byId("submit-said").textContent = "";
    throw error;
  } finally {
    byId("submit").disabled = false;
  }
}));

async function submit() {
  const files = Array.from(byId("files").files);
  const text = byId("text").value;
  const streams = files.filter((file) => STREAMED.test(file.name));
  if (streams.length && (files.length > 1 || text.trim())) throw new Error(word("one_stream"));
  if (streams.length) return submitLines(options(), streams[0]);
  const documents = await Promise.all(files.map(async (file) => ({ id: file.name, text: await readText(file) })));
  if (text.trim()) documents.unshift({ id: byId("name").value.trim() || new Date().toISOString(), text });
  if (!documents.length) throw new Error(word("nothing_given"));
  return submitDocuments(options(), documents);
}

async function readText(file) {
  const bytes = await file.arrayBuffer();
  for (const encoding of ["utf-8", "gb18030"]) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes);
    } catch (wrong) {
      // The other one, then.
    }
  }
  throw new Error(word("not_text", { name: file.name }));
}

// ---- the list ----

async function refresh() {
  last = await ask("/v1/jobs?limit=50");
  render();
}

function render() {
  if (!last) return;
  byId("jobs").hidden = !last.jobs.length;
  byId("no-jobs").hidden = last.jobs.length > 0;
  byId("more-jobs").textContent = last.total > last.jobs.length ? word("more_jobs", { shown: last.jobs.length, total: counted(last.total) }) : "";
  const paused = last.workers.filter((one) => one.doing === "paused").map((one) => word("worker_paused", one));
  const remarks = last.workers.length ? paused : [word("no_worker")];
  byId("workers").replaceChildren(...remarks.map((one) => make("li", {}, one)));
  const body = byId("jobs").tBodies[0];
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.job : null;
  body.replaceChildren(...last.jobs.map(row));
  if (focused) for (const button of body.querySelectorAll("button")) if (button.dataset.job === focused) button.focus();
}

function row(job) {
  const button = make("button", { type: "button", "data-job": job.id }, job.name || job.id);
  button.addEventListener("click", () => {
    if (location.hash === `#job=${job.id}`) openFromAddress();
    else location.hash = `job=${job.id}`;
  });
  const bar = make("progress", { max: "1", value: String(share(job.counts)), "aria-label": word("column_progress") });
  const numbers = word("of_sentences", { done: counted(job.counts.done), sentences: counted(job.counts.sentences) });
  const when = new Date(job.submitted).toLocaleString(spoken() === "zh" ? "zh-CN" : "en-GB", { dateStyle: "short", timeStyle: "short" });
  return make("tr", job.id === shownJob() ? { class: "here" } : {},
    make("td", {}, button, job.name ? make("small", {}, job.id) : null),
    make("td", {}, make("span", { class: `state ${job.state}` }, word(`state_${job.state}`))),
    make("td", { class: "numbers" }, bar, numbers),
    make("td", { class: "numbers" }, when));
}

// ---- going from place to place ----

async function openFromAddress() {
  const id = new URLSearchParams(location.hash.slice(1)).get("job");
  try {
    if (id) await openJob(id);
    else shutJob();
  } catch (error) {
    shutJob();
    tell(error);
  }
  render();
}

let soon = null;
onChange(() => {
  // Many events, one look.
  if (soon === null) soon = setTimeout(() => {
    soon = null;
    refresh().catch(tell);
  }, 300);
});
byId("close").addEventListener("click", () => {
  location.hash = "";
});
byId("language").addEventListener("click", () => speak(spoken() === "zh" ? "en" : "zh"));
byId("labels").addEventListener("change", renderChoices);
window.addEventListener("hashchange", () => inside && openFromAddress());
setInterval(() => inside && !document.hidden && refresh().then(answersAgain, async (error) => {
  if (error.status === 401) await enter();
  tell(error);
}), EVERY_MS);
onLanguage(() => {
  renderChoices();
  render();
});
speak(spoken());
enter().catch(tell);
