// One sentence's path through the graph: every step opens; a fork stands beside its origin.

import { Addition } from "/assets/addition.js";
import { ask, at, place, post, remove } from "/assets/api.js";
import { button, facts, field, folded, link, make, row, said, table } from "/assets/dom.js";
import { columnsOf, graph, milliseconds } from "/assets/graph.js";
import { markedText, same } from "/assets/text.js";
import { crumbs, forkForm } from "/assets/traces.js";
import { typesOf } from "/assets/types.js";
import { moment, named, scored, word } from "/assets/words.js";
import { aboutConflict, isKept, marksOf } from "/assets/who.js";

export async function showTrace(frame, run, sentence) {
  const [record, first] = await Promise.all([ask(at(["traces", run]), { signal: frame.signal }), ask(path(run, sentence), { signal: frame.signal })]);
  let trace = first;
  const types = await typesOf(record.labels);
  const origin = record.origin ? await ask(path(record.origin, sentence), { signal: frame.signal }).catch(() => null) : null;
  let step = frame.query.get("step") || (trace.conflicts.length ? "judge" : "merge");
  const text = make("div", { class: "card" });
  const path_ = make("section", { class: "card" });
  const detail = make("section", { class: "card", id: "step", "aria-live": "polite" });
  frame.title(`${word("trace")} · ${sentence}`);
  frame.root.append(crumbs(run, " / ", said(sentence)), make("h2", { class: "title" }, said(trace.document || sentence)), text,
    origin ? besideOrigin(record.origin, origin) : "", path_, detail, forks());
  render();
  const wanted = frame.query.get("conflict");
  const place_ = wanted && detail.querySelector(`[data-conflict="${CSS.escape(wanted)}"]`);
  if (place_) place_.scrollIntoView({ block: "center" });

  function render() {
    text.replaceChildren(markedText(trace.text, marksOf(trace, { dropped: true }), types, (mark) => open(mark.conflict ? "judge" : "merge")));
    path_.replaceChildren(make("h3", {}, word("graph")), graph(columnsOf(trace), open));
    open(step, { quiet: true });
  }

  function open(id, { quiet = false } = {}) {
    step = id;
    for (const node of path_.querySelectorAll(".node")) node.classList.toggle("here", node.dataset.node === id);
    const title = make("h3", { tabindex: "-1" }, id.startsWith("tag:") ? `${named("node", "tag")} · ${id.slice(4)}` : named("node", id));
    detail.replaceChildren(title, ...stepOf(id).filter(Boolean));
    if (quiet) return;
    history.replaceState(null, "", place(["traces", run, sentence], { step: id }));
    title.focus();
  }

  function stepOf(id) {
    if (id.startsWith("tag:")) return taggerStep(trace.answers.find((one) => one.tagger === id.slice(4)), types);
    if (id === "judge" || id === "person") return judgeStep();
    if (id === "merge") return [entityTable(trace.entities, types), checkpoints(trace)];
    if (id === "detect_conflicts") return trace.conflicts.length ? trace.conflicts.map((one) => conflictLine(one)) : [make("p", { class: "hint" }, word("all_agreed"))];
    return filterStep(trace, types);
  }

  function conflictLine(conflict) {
    return make("p", { class: "line" }, make("code", {}, conflict.id), named("kind", conflict.kind), ...conflict.candidates.map((one) => make("span", {}, said(one.text), " ", types.tag(one.label))));
  }

  function judgeStep() {
    if (!trace.conflicts.length) return [make("p", { class: "hint" }, word("all_agreed"))];
    return [make("div", { class: "grid" }, trace.conflicts.map((conflict) => make("div", { class: "card inner", "data-conflict": conflict.id },
      aboutConflict(conflict, types), frame.may("review") ? overruleForm(conflict) : null)))];
  }

  function overruleForm(conflict) {
    const address = at(["traces", run, "sentences", sentence, "conflicts", conflict.id, "overrule"]);
    const again = async () => {
      trace = await ask(path(run, sentence), { signal: frame.signal });
      render();
      detail.querySelector("h3").focus();
    };
    const boxes = conflict.candidates.map((one, number) => {
      const box = make("input", { type: "checkbox", value: String(number + 1) });
      box.checked = isKept(conflict, number + 1);
      return box;
    });
    const addition = new Addition(types);
    const why = make("input", { type: "text", required: true, maxlength: "2000", autocomplete: "off" });
    const form = make("form", { class: "overrule", onsubmit: (event) => {
      event.preventDefault();
      frame.attempt(async () => {
        const keep = boxes.filter((box) => box.checked).map((box) => Number(box.value));
        await post(address, { keep, add: addition.entities(trace.text, conflict), why: why.value.trim() });
        await again();
      });
    } }, make("fieldset", {}, make("legend", {}, word("overrule_keep")), boxes.map((box, number) => make("label", { class: "check" }, box, " ", said(conflict.candidates[number].text), " ", types.tag(conflict.candidates[number].label)))),
      addition.element, field(word("why_label"), why), make("p", { class: "line" }, make("button", { type: "submit", class: "main" }, word("overrule"))));
    const undo = conflict.verdict && conflict.verdict.overruled ? button(word("undo_overrule"), () => frame.attempt(async () => {
      await remove(address);
      await again();
    }), { class: "undo" }) : null;
    return make("div", {}, undo, folded(word("overrule_title"), form, { class: "overrule-fold" }));
  }

  function besideOrigin(name, before) {
    const changed = trace.conflicts.filter((one) => {
      const other = before.conflicts.find((former) => former.id === one.id);
      return other && !alike(one, other);
    });
    const side = (title, one, found) => make("div", { class: "card inner" }, make("h3", {}, title), make("p", { class: "hint" }, link(said(found), place(["traces", found, sentence]))),
      markedText(one.text, marksOf(one), types, null), make("p", { class: "line" }, one.conflicts.map((conflict) => conflict.verdict ? make("span", { class: "tag plain" }, `${conflict.id}: `, said(`${conflict.verdict.judge} ${conflict.verdict.version}`)) : null)));
    const lost = before.entities.filter((one) => !trace.entities.some((other) => same(one, other)));
    const gained = trace.entities.filter((one) => !before.entities.some((other) => same(one, other)));
    return make("section", { class: "card beside-origin" }, make("h3", {}, word("fork_beside")),
      make("p", {}, changed.length ? word("changed_conflicts", { n: changed.length, of: trace.conflicts.length }) : word("nothing_changed")),
      make("ul", { class: "plain changes" }, lost.map((one) => change("−", "lost", one, types)), gained.map((one) => change("+", "gained", one, types))),
      make("div", { class: "two" }, side(word("origin"), before, name), side(word("fork"), trace, run)));
  }

  function forks() {
    const found = trace.forks || [];
    return make("section", { class: "card" }, make("h3", {}, word("forks")), found.length ? make("ul", { class: "plain" }, found.map((one) => make("li", {}, link(said(one), place(["traces", one, sentence]))))) : make("p", { class: "hint" }, word("no_forks")),
      trace.conflicts.length && frame.may("submit") ? folded(word("fork_sentence"), forkForm(frame, run, { sentences: [sentence], then: (fork) => place(["traces", fork, sentence]) })) : null);
  }
}

const path = (run, sentence) => at(["traces", run, "sentences", sentence]);

const keptOf = (conflict) => (conflict.verdict ? [...conflict.verdict.kept].sort().join(",") : "");
const alike = (one, other) => keptOf(one) === keptOf(other);

export const change = (sign, kind, entity, types) =>
  make("li", { class: kind }, make("span", { class: kind === "gained" ? "yes" : "bad-word", role: "img", "aria-label": word(kind) }, sign), " ", said(entity.text), " ", types.tag(entity.label));

function taggerStep(answer, types) {
  if (!answer) return [];
  return [
    facts([[word("time"), answer.seconds ? milliseconds(1000 * answer.seconds) : ""]]),
    entityTable(answer.entities, types),
    (answer.rejected || []).length ? make("ul", { class: "plain warn-list" }, answer.rejected.map((one) => make("li", {}, `${named("rejected", one.reason)}: `, said(one.raw), " ", said(one.detail || "")))) : null,
    answer.raw ? folded(word("raw_answer"), answer.raw, { open: true }) : make("p", { class: "hint" }, word("no_raw_answer")),
  ];
}

function filterStep(trace, types) {
  const found = trace.candidates || [];
  const columns = [word("candidate"), word("given_by"), word("score"), word("result")];
  if (!found.length) return [make("p", { class: "hint" }, word("no_candidates"))];
  return [table(columns, found.map((one) => row(columns, [make("span", {}, said(one.text), " ", types.tag(one.label)), (one.taggers || []).join(", "), scored(one.score),
    make("span", { class: one.dropped ? "no" : "yes" }, one.dropped ? word("filtered") : word("passed"))])))];
}

function entityTable(entities, types) {
  const columns = [word("entity"), word("offsets"), word("decision"), word("given_by"), word("score")];
  if (!entities.length) return make("p", { class: "hint" }, word("no_entities"));
  return table(columns, entities.map((one) => row(columns, [make("span", {}, said(one.text), " ", types.tag(one.label)), `[${one.start}, ${one.end})`,
    one.decision ? named("state", one.decision) : "", (one.taggers || []).join(", "), scored(one.score)])));
}

const written = (writes) => Object.entries(writes || {}).map(([what, n]) => `${what} ${n}`).join(", ");

function checkpoints(trace) {
  const columns = [word("step"), word("column_when"), word("time"), word("writes")];
  return folded(word("checkpoints"), table(columns, trace.steps.map((one) => row(columns, [make("code", {}, one.node), one.at ? moment(one.at, true) : "", milliseconds(one.milliseconds), written(one.writes)]))));
}
