// Candidates of a conflict as cards to choose from.

import { make, said } from "/assets/dom.js";
import { isKept } from "/assets/who.js";
import { scored, word } from "/assets/words.js";

export function candidateCard(conflict, number, types, { chosen, choose }) {
  const candidate = conflict.candidates[number - 1];
  const judged = conflict.verdict && conflict.verdict.scores ? conflict.verdict.scores[number - 1] : undefined;
  return make("button", { type: "button", class: "card candidate", "aria-pressed": chosen ? "true" : "false", "data-number": number, onclick: choose },
    number < 10 ? make("kbd", {}, String(number)) : null,
    make("span", { class: "line" }, said(candidate.text, { class: "what" }), types.tag(candidate.label)),
    make("span", { class: "hint" }, candidate.taggers.join(", ") || word("by_nobody")),
    make("span", { class: "scores" }, meter(word("score"), candidate.score), meter(word("judge_score"), judged)),
    isKept(conflict, number) ? make("span", { class: "tag plain" }, word("judge_keeps")) : null);
}

export const noneCard = (chosen, choose) =>
  make("button", { type: "button", class: "card candidate none", "aria-pressed": chosen ? "true" : "false", onclick: choose },
    make("kbd", {}, "0"), make("span", { class: "what" }, word("none_of_them")));

function meter(name, value) {
  if (value === null || value === undefined) return null;
  return make("span", { class: "line" }, make("span", { class: "hint" }, `${name} ${scored(value)}`), make("meter", { min: "0", max: "1", value, "aria-label": name }));
}
