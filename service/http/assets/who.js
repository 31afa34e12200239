// Who said what about an entity, and how a conflict was settled.

import { place } from "/assets/api.js";
import { facts, folded, link, make, said, table, row, visible } from "/assets/dom.js";
import { overlap, same } from "/assets/text.js";
import { moment, named, scored, word } from "/assets/words.js";

const KEPT = ["agreed", "judged", "fallback", "human"];

// The marks of a document: its entities, and the candidates that were not kept.
export function marksOf(document, { dropped = false } = {}) {
  const marks = document.entities.map((entity) => ({ ...entity, state: stateOf(entity), conflict: conflictOf(document, entity) }));
  for (const conflict of document.conflicts || []) {
    const kept = marks.some((mark) => mark.conflict === conflict);
    for (const candidate of conflict.candidates) {
      if (marks.some((mark) => same(mark, candidate))) continue;
      if (dropped || !kept) marks.push({ ...candidate, state: "dropped", conflict });
    }
  }
  return marks.sort((one, other) => one.start - other.start || other.end - one.end);
}

export const stateOf = (entity) => (KEPT.includes(entity.decision) ? entity.decision : "judged");

function conflictOf(document, entity) {
  if (!entity.conflict) return null;
  return (document.conflicts || []).find((one) => one.id === entity.conflict && one.sentence === entity.sentence) || null;
}

// Kept candidates by number from 1.
export const isKept = (conflict, number) => Boolean(conflict.verdict) && conflict.verdict.kept.includes(number);

// All about one mark of a document.
export function aboutMark(mark, document, types) {
  const near = document.entities.filter((one) => !same(one, mark) && overlap(one, mark));
  return [
    make("p", { class: "line" }, types.tag(mark.label), make("span", { class: "tag plain" }, named("state", mark.state))),
    facts([
      [word("offsets"), `[${mark.start}, ${mark.end})`],
      [word("given_by"), (mark.taggers || []).join(", ")],
      [word("score"), mark.score === null || mark.score === undefined ? "" : scored(mark.score)],
    ]),
    mark.conflict ? aboutConflict(mark.conflict, types, { current: mark }) : null,
    near.length ? make("section", {}, make("h3", {}, word("also_here")),
      near.map((one) => make("p", { class: "line" }, said(one.text), types.tag(one.label)))) : null,
  ];
}

export function aboutConflict(conflict, types, { current = null } = {}) {
  return make("section", { class: "conflict" },
    make("h3", {}, `${word("who_said_what")} · ${named("kind", conflict.kind)}`),
    candidatesTable(conflict, types, current),
    conflict.context && conflict.context.length ? make("p", { class: "hint line" }, word("context"), conflict.context.map((one) => make("span", {}, said(one.text), " ", types.tag(one.label)))) : null,
    aboutVerdict(conflict, types),
    conflict.run ? make("p", {}, link(word("open_trace"), place(["traces", conflict.run, conflict.sentence], { conflict: conflict.id }))) : null);
}

function candidatesTable(conflict, types, current) {
  const taggers = [...new Set(conflict.candidates.flatMap((one) => one.taggers))].sort();
  const columns = [word("candidate"), ...taggers, word("score"), word("result")];
  const scores = (conflict.verdict && conflict.verdict.scores) || [];
  const rows = conflict.candidates.map((one, place) => row(columns, [
    make("span", {}, said(one.text), " ", types.tag(one.label)),
    ...taggers.map((name) => gave(one.taggers.includes(name))),
    scores[place] === undefined ? scored(one.score) : `${scored(one.score)} · ${word("judge")} ${scored(scores[place])}`,
    result(isKept(conflict, place + 1)),
  ], current && same(one, current) ? { class: "here" } : {}));
  for (const one of (conflict.verdict && conflict.verdict.added) || []) {
    rows.push(row(columns, [make("span", {}, said(one.text), " ", types.tag(one.label)), ...taggers.map(() => gave(false)), "–", make("span", { class: "yes" }, word("added"))]));
  }
  return table(columns, rows, { class: "who" });
}

export const gave = (yes) =>
  make("span", { class: yes ? "yes" : "no", role: "img", "aria-label": word(yes ? "gave" : "not_given"), title: word(yes ? "gave" : "not_given") }, yes ? "✓" : "–");

const result = (kept) => make("span", { class: kept ? "yes" : "no" }, word(kept ? "kept" : "dropped"));

export function aboutVerdict(conflict, types) {
  const { verdict } = conflict;
  if (!verdict) return make("p", { class: "warn" }, word("no_verdict"));
  const parts = [];
  if (verdict.overruled) {
    const { by, at, why } = verdict.overruled;
    parts.push(make("p", { class: "person" }, make("strong", {}, `${word("overruled")} `), said(by), `, ${moment(at)}`, why ? ": " : "", why ? said(why) : null));
  }
  if (verdict.abstained) parts.push(make("p", { class: "warn" }, word("abstained")));
  if (verdict.fallback) {
    parts.push(make("p", { class: "warn" }, `${word("fallback_used")} (${named("fallback", verdict.fallback)})`,
      verdict.fallback_reason ? ": " : "", verdict.fallback_reason ? said(verdict.fallback_reason) : null));
  }
  parts.push(facts([
    [word("judge"), said(verdict.judge)],
    [word("version"), said(verdict.version)],
    [word("mode"), said(verdict.mode)],
    [word("time"), verdict.seconds ? `${verdict.seconds.toFixed(2)} s` : ""],
  ]));
  for (const one of verdict.tried || []) parts.push(make("p", { class: "hint" }, `${word("tried")} `, said(one.judge), ": ", said(one.reason)));
  return make("div", { class: "verdict" }, parts, evidence(conflict, types));
}

// Prompt, raw answer and exemplars, folded.
export function evidence(conflict, types) {
  const exemplars = conflict.exemplars || [];
  return [
    exemplars.length ? folded(`${word("exemplars")} (${exemplars.length})`, make("ul", { class: "plain" },
      exemplars.map((one) => make("li", {}, said(one.text), " ", types.tag(one.label), " ", said(one.context, { class: "hint" }))))) : null,
    conflict.answer ? folded(word("raw_answer"), conflict.answer) : null,
    conflict.prompt ? folded(word("prompt"), conflict.prompt) : null,
  ];
}

export const failuresList = (failures) => (failures && failures.length ? make("ul", { class: "plain fails" },
  failures.map((one) => make("li", {}, `${visible(one.agent)} (${visible(one.stage)}, ${visible(one.kind)})`, one.message ? ": " : "", one.message ? said(one.message) : null))) : null);
