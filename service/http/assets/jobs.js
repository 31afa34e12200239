// Jobs: the list, and the form that makes one. #/jobs/ID is one job.

import { ask, at, place } from "/assets/api.js";
import { button, link, make, options, row, said, table, visible } from "/assets/dom.js";
import { every } from "/assets/later.js";
import { counted, moment, named, word } from "/assets/words.js";
import { uploadForm } from "/assets/upload.js";

const EVERY_MS = 3000;
const A_PAGE = 30;
export const STATES = ["submitting", "queued", "running", "completed", "completed_with_errors", "cancelled", "failed"];
const kept = { state: "", name: "" };

export async function show(frame) {
  if (frame.parts.length) {
    const { showJob } = await import("/assets/job.js");
    return showJob(frame);
  }
  const remarks = make("ul", { class: "plain warn-list" });
  const list = make("div", { id: "jobs" });
  const more = make("p", { class: "line" });
  const state = options(make("select", { "aria-label": word("state"), onchange: () => filter("state", state.value) }),
    [["", word("every_state")], ...STATES.map((one) => [one, word(`state_${one}`)])], kept.state);
  const name = make("input", { type: "search", "aria-label": word("name_label"), placeholder: word("name_label"), onchange: () => filter("name", name.value.trim()) });
  name.value = kept.name;
  let pages = 1; // of the list, asked again together

  frame.root.append(make("h2", { class: "title" }, word("nav_jobs")), frame.may("submit") ? await uploadForm(frame) : "",
    make("section", { class: "card" }, make("div", { class: "bar" }, make("h3", {}, word("jobs_title")), make("span", { class: "line filters" }, state, name)), remarks, list, more));
  await refresh();
  every(EVERY_MS, frame, refresh);

  function filter(key, value) {
    kept[key] = value;
    pages = 1;
    frame.attempt(refresh);
  }

  async function refresh() {
    let next = null;
    let found = null;
    const jobs = [];
    for (let page = 0; page < pages; page += 1) {
      found = await ask(at(["jobs"], { limit: A_PAGE, ...kept, cursor: next }), { signal: frame.signal });
      jobs.push(...found.jobs);
      next = found.next;
      if (!next) break;
    }
    render(jobs, found, next);
  }

  function render(jobs, found, next) {
    const paused = found.workers.filter((one) => one.doing === "paused").map((one) => word("worker_paused", { id: visible(one.id), reason: visible(one.reason) }));
    remarks.replaceChildren(...(found.workers.length ? paused : [word("no_worker")]).map((one) => make("li", {}, one)));
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const columns = [word("column_job"), word("state"), word("progress"), word("conflicts_title"), word("column_when")];
    list.replaceChildren(jobs.length ? table(columns, jobs.map((job) => jobRow(job, columns))) : make("p", { class: "hint" }, word("no_jobs")));
    if (focused) for (const one of list.querySelectorAll("a")) if (one.getAttribute("href") === focused) one.focus();
    more.replaceChildren(...(next ? [button(word("more"), () => frame.attempt(() => {
      pages += 1;
      return refresh();
    }))] : []), make("span", { class: "hint" }, found.total === undefined ? "" : word("shown_of", { shown: counted(jobs.length), total: counted(found.total) })));
  }
}

function jobRow(job, columns) {
  const { counts } = job;
  return row(columns, [
    make("span", {}, link(said(job.name || job.id), place(["jobs", job.id])), job.name ? make("small", {}, job.id) : null),
    stateTag(job.state),
    make("span", {}, progressBar(counts), make("span", { class: "numbers" }, word("of_sentences", { done: counted(counts.done), sentences: counted(counts.sentences) }))),
    make("span", { class: "numbers" }, counted(counts.conflicts)),
    make("span", { class: "numbers" }, moment(job.submitted)),
  ]);
}

export const stateTag = (state) => make("span", { class: `state ${state}` }, named("state", state));

export const share = (counts) => (counts.sentences ? (counts.done + counts.dead) / counts.sentences : 0);

export const progressBar = (counts) =>
  make("progress", { max: "1", value: share(counts), "aria-label": word("progress") });
