// The documents of a job, with filters.

import { ask, at, place } from "/assets/api.js";
import { button, link, make, options } from "/assets/dom.js";
import { Reader } from "/assets/reader.js";
import { word } from "/assets/words.js";

const A_PAGE = 10;
const ONLY = ["conflicts", "fallbacks", "abstained", "overruled", "failures"];

// The filters are in the address, so that a link opens the same view: ?only=conflicts&label=dis&document=ID&conflict=ID
export async function documentsView(frame, body, job, types) {
  const wanted = Object.fromEntries(["only", "label", "taggers", "document"].map((key) => [key, frame.query.get(key) || ""]));
  const reader = new Reader(types, { about: (mark, document) => about(job, mark, document) });
  const more = make("p", { class: "line" });
  const pick = (key, rows, usual) => options(make("select", { "aria-label": word(key === "label" ? "filter_type" : `filter_${key}`), onchange: (event) => go({ ...wanted, [key]: event.target.value }) }),
    [["", usual], ...rows], wanted[key]);
  const filters = make("div", { class: "line filters", role: "group", "aria-label": word("filters") },
    pick("only", ONLY.map((one) => [one, word(`only_${one}`)]), word("only_all")),
    pick("label", types.all.map((type) => [type.code, types.name(type.code)]), word("every_type")),
    await pairs(frame, job, pick, wanted.taggers),
    wanted.document ? button(word("every_document"), () => go({ ...wanted, document: "" })) : null,
    link(word("open_apart"), at(["jobs", job.id, "page"], { language: document.documentElement.lang === "en" ? "en" : "zh" }), { target: "_blank", rel: "noopener" }));
  body.replaceChildren(filters, reader.element, more);
  await load(null);
  if (frame.query.get("conflict")) reader.openConflict(frame.query.get("sentence"), frame.query.get("conflict"));

  function go(query) {
    location.hash = place(["jobs", job.id, "documents"], query);
  }

  async function load(cursor) {
    const found = await ask(at(["jobs", job.id, "documents"], { ...wanted, limit: wanted.document ? 1 : A_PAGE, cursor }), { signal: frame.signal });
    for (const one of found.documents) for (const conflict of one.conflicts) conflict.run = job.id;
    reader.show(found.documents, { append: cursor !== null });
    // A page looks through some thousand documents at most.
    if (found.next && !found.documents.length && !reader.documents.length) return load(found.next);
    more.replaceChildren(found.next && !wanted.document ? button(word("more"), () => frame.attempt(() => load(found.next))) : "",
      !reader.documents.length ? make("span", { class: "hint" }, word("no_documents")) : "");
  }
}

// Pairs of taggers that gave something, as far as the job's agreement knows them.
async function pairs(frame, job, pick, chosen) {
  const found = await ask(at(["jobs", job.id, "agreement"]), { signal: frame.signal }).catch(() => ({ pairs: [] }));
  const rows = found.pairs.map((one) => [one.taggers.join(","), word("pair_disagrees", { pair: one.taggers.join(" / ") })]);
  if (chosen && !rows.some(([value]) => value === chosen)) rows.push([chosen, chosen]);
  return rows.length ? pick("taggers", rows, word("every_pair")) : null;
}

function about(job, mark, document) {
  const address = place(["jobs", job.id, "documents"], { document: document.id, ...(mark.conflict ? { sentence: mark.conflict.sentence, conflict: mark.conflict.id } : {}) });
  return [make("p", { class: "line" }, link(word("link_here"), address))];
}
