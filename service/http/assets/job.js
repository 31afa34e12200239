// One job: its progress while it runs, what can be done with it, its documents.

import { Refused, ask, byId, jobPath, make, post, tell } from "/assets/api.js";
import { counted, duration, onLanguage, spoken, word } from "/assets/words.js";

const ENDED = ["completed", "completed_with_errors", "cancelled", "failed"];
const A_PAGE = 20;
let shown = null; // the job: {id, name, ...} as the API gives it
let told = null; // its last event
let source = null;
let offset = 0;
let seen = false; // its documents are shown
let changed = () => {};
let wanted = 0; // counts openings: of two at once the later one stands

export const onChange = (listener) => {
  changed = listener;
};

export const shownJob = () => (shown ? shown.id : null);

export async function openJob(id, { focus = true } = {}) {
  shutJob();
  const mine = wanted;
  const found = await ask(jobPath(id));
  if (mine !== wanted) return;
  shown = found;
  byId("job").hidden = false;
  render();
  follow();
  if (focus) byId("job-title").focus({ preventScroll: true });
  byId("job").scrollIntoView({ block: "start" });
}

export function shutJob() {
  wanted += 1;
  if (source) source.close();
  source = shown = told = null;
  offset = 0;
  seen = false;
  byId("job").hidden = true;
  byId("documents").hidden = true;
  byId("documents").removeAttribute("src");
}

function follow() {
  if (source) source.close();
  const stream = (source = new EventSource(jobPath(shown.id, "/events")));
  const heard = (event) => {
    if (stream !== source) return;
    told = JSON.parse(event.data);
    shown.state = told.state;
    shown.counts = told.counts;
    shown.reason = told.reason;
    tell(null);
    render();
    changed();
  };
  stream.addEventListener("progress", heard);
  stream.addEventListener("end", (event) => {
    stream.close();
    heard(event);
    if (stream === source) showDocuments();
  });
  stream.addEventListener("gone", () => {
    stream.close();
    if (stream !== source) return;
    shutJob();
    tell(new Error(word("gone")));
    changed();
  });
  // A stream that was refused does not come again by itself; asking plainly says why.
  stream.addEventListener("error", () => {
    if (stream !== source || ENDED.includes(shown.state)) return;
    tell(new Refused(0, word("offline")));
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => stream === source && follow(), 3000);
  });
}

function render() {
  if (!shown) return;
  const { counts, state } = shown;
  const ended = ENDED.includes(state);
  byId("job-title").textContent = shown.name || shown.id;
  byId("job-state").textContent = word(`state_${state}`);
  byId("job-state").className = `state ${state}`;
  byId("job-progress").value = share(counts);
  byId("job-numbers").textContent = numbers(ended).join(" · ");
  const remarks = [shown.reason, ...((told && told.remarks) || [])].filter(Boolean);
  byId("job-remarks").replaceChildren(...remarks.map((one) => make("li", {}, one)));
  byId("cancel").hidden = ended;
  byId("replay").hidden = !["completed_with_errors", "cancelled", "failed"].includes(state);
  byId("delete").hidden = !ended;
  byId("download-entities").href = jobPath(shown.id, "/results?format=entities");
  byId("download-entities").download = `${shown.id}.entities.jsonl`;
  byId("download-full").href = jobPath(shown.id, "/results?format=full");
  byId("download-full").download = `${shown.id}.jsonl`;
  byId("show-done").hidden = seen && ended;
  renderDead(counts.dead);
  renderPaging();
}

export const share = (counts) => (counts.sentences ? (counts.done + counts.dead) / counts.sentences : 0);

function numbers(ended) {
  const { counts } = shown;
  const words = [word("of_sentences", { done: counted(counts.done), sentences: counted(counts.sentences) })];
  if (!ended && told && told.sentences_per_s !== null) {
    words.push(word("speed", { n: told.sentences_per_s.toFixed(1) }), word("left", { time: duration(told.seconds_left) }));
  }
  words.push(word("entities", { n: counted(counts.entities) }), word("conflicts", { n: counted(counts.conflicts) }));
  if (counts.dead) words.push(word("dead", { n: counted(counts.dead) }));
  return words;
}

async function renderDead(count) {
  const list = byId("dead-list");
  const what = `${shown.id} ${count} ${spoken()}`;
  byId("dead").hidden = count === 0;
  if (count === 0 || list.dataset.of === what) return;
  list.dataset.of = what;
  const { dead } = await ask(jobPath(shown.id, "/dead")).catch(() => ({ dead: [] }));
  if (list.dataset.of !== what) return;
  list.replaceChildren(
    ...dead.map((one) => make("li", {}, `${one.sentence}: ${one.kind} (${word("attempts", { n: one.attempts })})`)),
  );
}

function showDocuments() {
  seen = true;
  const query = new URLSearchParams({ offset, limit: A_PAGE, language: spoken() });
  const address = jobPath(shown.id, `/page?${query}`);
  byId("documents").hidden = false;
  byId("documents").src = address;
  byId("open-apart").href = address;
  render();
}

function renderPaging() {
  const total = shown.counts.documents;
  byId("open-apart").hidden = !seen;
  byId("earlier").hidden = byId("later").hidden = !seen || total <= A_PAGE;
  byId("earlier").disabled = offset === 0;
  byId("later").disabled = offset + A_PAGE >= total;
  const values = { from: offset + 1, to: Math.min(offset + A_PAGE, total), total: counted(total) };
  byId("page-of").textContent = seen && total > A_PAGE ? word("page_of", values) : "";
}

async function act(work) {
  try {
    tell(null);
    await work();
    changed();
  } catch (error) {
    tell(error);
  }
}

function turn(step) {
  offset = Math.max(0, offset + step * A_PAGE);
  showDocuments();
}

byId("cancel").addEventListener("click", () => act(async () => {
  shown = await post(jobPath(shown.id, "/cancel"));
  render();
}));
byId("replay").addEventListener("click", () => act(async () => {
  shown = (await post(jobPath(shown.id, "/replay"))).job;
  told = null;
  render();
  follow();
}));
byId("delete").addEventListener("click", () => act(async () => {
  if (!window.confirm(word("delete_sure"))) return;
  await ask(jobPath(shown.id), { method: "DELETE" });
  location.hash = "";
  shutJob();
}));
byId("show-done").addEventListener("click", showDocuments);
byId("earlier").addEventListener("click", () => turn(-1));
byId("later").addEventListener("click", () => turn(1));
onLanguage(() => {
  render();
  if (shown && seen) showDocuments();
});
