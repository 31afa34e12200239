// Annotate: a note in, its entities out, at once.

import { ask, at, place, post } from "/assets/api.js";
import { choices } from "/assets/choices.js";
import { field, folded, link, make } from "/assets/dom.js";
import { Reader } from "/assets/reader.js";
import { typesOf } from "/assets/types.js";
import { counted, word } from "/assets/words.js";

const kept = { text: "", open: false, choice: {}, answer: null }; // over a change of the language or the place
const EVERY_MS = 700;
const ENDED = ["completed", "completed_with_errors", "cancelled", "failed"];

export async function show(frame) {
  if (!frame.may("submit")) {
    frame.root.append(make("h2", { class: "title" }, word("nav_annotate")), make("p", { class: "warn" }, word("no_submit_scope")));
    return;
  }
  const text = make("textarea", { id: "note", rows: "5", spellcheck: "false", lang: "zh-CN", oninput: () => {
    kept.text = text.value;
  } });
  text.value = kept.text;
  const choice = await choices(kept.choice);
  const told = make("span", { role: "status", class: "hint" });
  const go = make("button", { type: "submit", class: "main" }, word("annotate"));
  const results = make("section", { class: "results", "aria-label": word("results") });
  const form = make("form", { class: "card", onsubmit: (event) => {
    event.preventDefault();
    frame.attempt(run);
  } }, field(word("text_label"), text, word("text_hint")), folded(word("options"), choice.element),
    make("p", { class: "line" }, go, make("kbd", {}, "Ctrl + Enter"), told));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  frame.root.append(make("h2", { class: "title" }, word("nav_annotate")), form, results);
  if (kept.answer) await render(kept.answer);
  text.focus({ preventScroll: true });

  async function run() {
    if (!kept.text.trim()) throw new Error(word("nothing_pasted"));
    const began = performance.now();
    go.disabled = true;
    told.textContent = word("annotating");
    try {
      const body = { ...choice.values(), documents: [{ id: word("note"), text: kept.text }], wait_s: 20 };
      const answer = await finished(await post(at(["annotate"]), body, { signal: frame.signal }));
      kept.answer = { ...answer, labels: choice.values().labels, text: kept.text, seconds: (performance.now() - began) / 1000 };
      await render(kept.answer);
    } finally {
      go.disabled = false;
      if (told.textContent === word("annotating")) told.textContent = "";
    }
  }

  // Of a job that takes longer than the request waits, the place in the queue is shown until it ends.
  async function finished(answer) {
    if (answer.documents) return answer;
    for (;;) {
      const job = await ask(at(["jobs", answer.job]), { signal: frame.signal });
      const { done, sentences } = job.counts;
      told.textContent = `${word(`state_${job.state}`)} · ${word("of_sentences", { done: counted(done), sentences: counted(sentences) })}`;
      if (ENDED.includes(job.state)) break;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    const found = await ask(at(["jobs", answer.job, "documents"]), { signal: frame.signal });
    return { job: answer.job, documents: found.documents };
  }

  async function render({ job, documents, labels, text: given, seconds }) {
    const types = await typesOf(labels);
    const reader = new Reader(types);
    const whole = documents.map((one) => ({ ...one, text: one.text ?? given }));
    for (const document of whole) for (const conflict of document.conflicts) conflict.run = job;
    reader.show(whole);
    const found = whole.reduce((sum, one) => sum + one.entities.length, 0);
    told.textContent = `${word("entities", { n: found })} · ${seconds.toFixed(1)} s`;
    results.replaceChildren(reader.element, make("p", { class: "line hint" },
      link(word("open_job"), place(["jobs", job])), link(word("open_traces"), place(["traces", job])),
      whole.some((one) => one.conflicts.length) ? link(word("review_conflicts"), place(["review", job])) : null));
  }
}
