// The form that submits a job: files chosen or dropped, or a text.

import { place, submitDocuments, submitLines } from "/assets/api.js";
import { choices } from "/assets/choices.js";
import { button, field, folded, make, options, visible } from "/assets/dom.js";
import { counted, word } from "/assets/words.js";

const STREAMED = /\.(jsonl|ndjson)$/i;
const ACCEPTED = ".txt,.text,.md,.jsonl,.ndjson";
const kept = { files: [], text: "", name: "", priority: "normal", follow: "pinned", choice: {} };

export async function uploadForm(frame) {
  const choice = await choices(kept.choice);
  const files = make("input", { id: "files", type: "file", multiple: true, accept: ACCEPTED, onchange: () => take(files.files) });
  const list = make("ul", { class: "plain files" });
  const drop = make("div", { class: "drop" }, field(word("files_label"), files, word("files_hint")), list);
  const text = input("text", make("textarea", { id: "text", rows: "3", spellcheck: "false", lang: "zh-CN" }));
  const name = input("name", make("input", { id: "name", type: "text", maxlength: "100", autocomplete: "off" }));
  const priority = input("priority", options(make("select", { id: "priority" }), ["high", "normal", "low"].map((one) => [one, word(`priority_${one}`)]), kept.priority));
  const follow = input("follow", options(make("select", { id: "follow" }), ["pinned", "latest"].map((one) => [one, word(`follow_${one}`)]), kept.follow));
  const told = make("span", { role: "status", id: "submit-said" });
  const go = make("button", { type: "submit", id: "submit", class: "main" }, word("submit"));
  const form = make("form", { class: "card", id: "submit-form", onsubmit: (event) => {
    event.preventDefault();
    frame.attempt(submit);
  } },
    make("h3", {}, word("submit_title")), make("div", { class: "give" }, drop, field(word("or_text_label"), text, word("text_hint"))),
    folded(word("options"), make("div", {}, make("div", { class: "fields" }, field(word("name_label"), name), field(word("priority_label"), priority), field(word("follow_label"), follow)), choice.element), { id: "options" }),
    make("p", { class: "line" }, go, told));
  dropping(form, take);
  draw();
  return form;

  function input(key, element) {
    element.value = kept[key];
    element.addEventListener("input", () => {
      kept[key] = element.value;
    });
    return element;
  }

  // The same file twice is one; another choice adds to what there is.
  function take(found) {
    for (const file of found) {
      if (!kept.files.some((one) => one.name === file.name && one.size === file.size)) kept.files.push(file);
    }
    files.value = "";
    draw();
  }

  function draw() {
    list.replaceChildren(...kept.files.map((file, number) => make("li", {}, make("bdi", {}, visible(file.name)), ` ${counted(Math.ceil(file.size / 1024))} KB `,
      button("✕", () => {
        kept.files.splice(number, 1);
        draw();
      }, { "aria-label": `${word("remove")} ${visible(file.name)}` }))));
  }

  async function submit() {
    go.disabled = true;
    told.textContent = word("submitting");
    try {
      const job = await sent({ ...choice.values(), name: kept.name.trim(), priority: kept.priority, judge_follow: kept.follow });
      Object.assign(kept, { files: [], text: "", name: "" });
      told.textContent = word("submitted", { documents: counted(job.documents), sentences: counted(job.sentences) });
      location.hash = place(["jobs", job.id]);
    } catch (error) {
      told.textContent = "";
      throw error;
    } finally {
      go.disabled = false;
    }
  }
}

async function sent(given) {
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value));
  const streams = kept.files.filter((file) => STREAMED.test(file.name));
  if (streams.length && (kept.files.length > 1 || kept.text.trim())) throw new Error(word("one_stream"));
  if (streams.length) return submitLines(chosen, streams[0]);
  const documents = await Promise.all(kept.files.map(async (file) => ({ id: file.name.slice(0, 200), text: await readText(file) })));
  if (kept.text.trim()) documents.unshift({ id: kept.name.trim() || new Date().toISOString(), text: kept.text });
  if (!documents.length) throw new Error(word("nothing_given"));
  return submitDocuments(chosen, documents);
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

function dropping(form, take) {
  let depth = 0; // dragging over a child leaves its parent
  const over = (step) => {
    depth = Math.max(0, depth + step);
    form.classList.toggle("dropping", depth > 0);
  };
  form.addEventListener("dragenter", () => over(1));
  form.addEventListener("dragleave", () => over(-1));
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    over(0);
    take(event.dataTransfer.files);
  });
}
