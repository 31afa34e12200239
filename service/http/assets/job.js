// One job: its progress while it runs, what can be done with it, its documents, agreement and failures.

import { Refused, ask, at, place, post, remove, tell } from "/assets/api.js";
import { agreementView } from "/assets/agreement.js";
import { documentsView } from "/assets/documents.js";
import { button, facts, link, make, options, row, said, table } from "/assets/dom.js";
import { progressBar, stateTag } from "/assets/jobs.js";
import { typesOf } from "/assets/types.js";
import { counted, duration, moment, named, word } from "/assets/words.js";

const ENDED = ["completed", "completed_with_errors", "cancelled", "failed"];
const TABS = ["documents", "agreement", "failures", "facts"];
const FORMATS = ["entities", "full", "jsonl", "cmeee", "ccks", "bio", "brat", "label-studio", "doccano", "text"];

export async function showJob(frame) {
  const [id, tab = "documents"] = frame.parts;
  let job = await ask(at(["jobs", id]), { signal: frame.signal });
  let event = null;
  let source = null;
  const types = await typesOf(job.labels);
  const head = make("section", { class: "card", id: "job" });
  const body = make("section", { class: "tab-body" });
  const title = make("h2", { class: "title", tabindex: "-1", id: "job-title" });
  frame.root.append(make("p", { class: "crumbs" }, link(word("nav_jobs"), "#/jobs")), title, head, tabs(), body);
  frame.title(job.name || job.id);
  frame.signal.addEventListener("abort", () => source && source.close());
  render();
  if (!ENDED.includes(job.state)) follow();
  await showTab();

  function tabs() {
    return make("nav", { class: "tabs", "aria-label": word("job") }, TABS.map((one) =>
      link(word(`tab_${one}`), place(["jobs", id, one]), one === current() ? { "aria-current": "page" } : {})));
  }

  function current() {
    return TABS.includes(tab) ? tab : "documents";
  }

  async function showTab() {
    if (current() === "documents") return documentsView(frame, body, job, types);
    if (current() === "agreement") return body.replaceChildren(make("div", { class: "card" }, agreementView(await ask(at(["jobs", id, "agreement"]), { signal: frame.signal }), types)));
    if (current() === "failures") return body.replaceChildren(make("div", { class: "card" }, await deadTable()));
    return body.replaceChildren(make("div", { class: "card" }, jobFacts()));
  }

  function render() {
    const { counts, state } = job;
    const ended = ENDED.includes(state);
    title.replaceChildren(said(job.name || job.id));
    const remarks = [job.reason, ...Object.entries(job.refusals || {}).map(([worker, why]) => `${worker}: ${why}`), ...((event && event.remarks) || [])].filter(Boolean);
    const focused = head.contains(document.activeElement) ? document.activeElement.id : null;
    head.replaceChildren(
      make("div", { class: "line" }, make("span", { id: "job-state", role: "status" }, stateTag(state)), make("span", { id: "job-numbers", class: "hint" }, numbers(ended).join(" · "))),
      progressBar(counts),
      remarks.length ? make("ul", { class: "plain warn-list" }, [...new Set(remarks)].map((one) => make("li", {}, said(one)))) : "",
      make("div", { class: "line actions" },
        frame.may("submit") && !ended ? act("cancel", async () => {
          job = await post(at(["jobs", id, "cancel"]));
        }) : null,
        frame.may("submit") && ["completed_with_errors", "cancelled", "failed"].includes(state) ? act("replay", async () => {
          ({ job } = await post(at(["jobs", id, "replay"])));
          event = null;
          follow();
        }) : null,
        frame.may("submit") && ended ? act("delete", async () => {
          if (!window.confirm(word("delete_sure"))) return;
          await remove(at(["jobs", id]));
          location.hash = "#/jobs";
        }) : null,
        counts.conflicts && frame.may("review") ? link(word("review_conflicts"), place(["review", id]), { class: "button" }) : null,
        counts.conflicts ? link(word("open_traces"), place(["traces", id]), { class: "button" }) : null,
        download()));
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  }

  function act(key, work) {
    return button(word(key), () => frame.attempt(async () => {
      await work();
      render();
    }), { id: key });
  }

  function download() {
    const format = options(make("select", { "aria-label": word("format"), id: "format" }), FORMATS.map((one) => [one, named("format", one)]), chosenFormat);
    const anchor = link(word("download"), "", { class: "button", download: "", id: "download" });
    const point = () => {
      chosenFormat = format.value;
      anchor.href = at(["jobs", id, "results"], { format: format.value });
    };
    format.addEventListener("change", point);
    point();
    return make("span", { class: "line joined" }, format, anchor);
  }

  function numbers(ended) {
    const { counts } = job;
    const words = [word("of_sentences", { done: counted(counts.done), sentences: counted(counts.sentences) })];
    if (!ended && event && event.sentences_per_s !== null) {
      words.push(word("speed", { n: event.sentences_per_s.toFixed(1) }), word("left", { time: duration(event.seconds_left) }));
    }
    words.push(word("documents", { n: counted(counts.documents) }), word("entities", { n: counted(counts.entities) }), word("conflicts", { n: counted(counts.conflicts) }));
    if (counts.fallbacks) words.push(word("fallbacks", { n: counted(counts.fallbacks) }));
    if (counts.dead) words.push(word("dead", { n: counted(counts.dead) }));
    return words;
  }

  function follow() {
    if (source) source.close();
    const stream = (source = new EventSource(at(["jobs", id, "events"])));
    const heard = (message) => {
      if (stream !== source || frame.signal.aborted) return;
      event = JSON.parse(message.data);
      Object.assign(job, { state: event.state, counts: event.counts, reason: event.reason });
      tell(null);
      render();
    };
    stream.addEventListener("progress", heard);
    stream.addEventListener("end", (message) => {
      stream.close();
      heard(message);
      if (!frame.signal.aborted) frame.attempt(showTab);
    });
    stream.addEventListener("gone", () => {
      stream.close();
      tell(new Error(word("gone")));
    });
    // A stream that was refused does not come again by itself; asking plainly says why.
    stream.addEventListener("error", () => {
      if (stream !== source || frame.signal.aborted || ENDED.includes(job.state)) return;
      tell(new Refused(0, word("offline")));
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => stream === source && !frame.signal.aborted && follow(), 3000);
    });
  }

  async function deadTable() {
    const { dead } = await ask(at(["jobs", id, "dead"]), { signal: frame.signal });
    const columns = [word("document"), word("sentence"), word("reason"), word("attempts_title"), word("column_when")];
    if (!dead.length) return make("p", { class: "hint" }, word("no_failures"));
    return make("div", {}, make("p", { class: "hint" }, word("dead_hint")), table(columns, dead.map((one) => row(columns,
      [said(one.document), said(one.sentence), make("span", {}, make("b", {}, said(one.kind)), " ", said(one.error)), counted(one.attempts), moment(one.at)]))));
  }

  function jobFacts() {
    return facts([
      ["id", job.id], [word("labels_label"), job.labels], [word("priority_label"), job.priority ? word(`priority_${job.priority}`) : ""],
      [word("judge"), job.judge], [word("follow_label"), job.judge_follow ? word(`follow_${job.judge_follow}`) : ""], [word("trace_label"), job.trace], [word("fingerprint"), job.fingerprint],
      [word("column_when"), moment(job.submitted, true)], [word("started"), job.started ? moment(job.started, true) : ""], [word("finished"), job.finished ? moment(job.finished, true) : ""],
    ]);
  }
}

let chosenFormat = "entities";
