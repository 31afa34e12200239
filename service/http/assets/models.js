// Models: label sets, taggers, filters, bases and presets, with their scores and where they were trained.

import { ask, at } from "/assets/api.js";
import { facts, folded, make, row, said, table } from "/assets/dom.js";
import { Types } from "/assets/types.js";
import { word } from "/assets/words.js";

export async function show(frame) {
  const found = await ask(at(["models"]), { signal: frame.signal });
  frame.root.append(make("h2", { class: "title" }, word("nav_models")), make("p", { class: "hint intro" }, word("models_intro")),
    section("label_sets", found.label_sets.map(labelSet)),
    section("presets", found.presets.length ? [presetTable(found.presets)] : []),
    section("taggers_title", grid(found.taggers.map(agent))),
    section("filters_title", grid(found.filters.map(agent))),
    section("bases", [bases(found.bases)]),
    section("judges_title", [make("p", { class: "line" }, found.judges.map((one) => make("span", { class: "tag plain" }, said(one.kind))))]));
}

const section = (key, children) =>
  make("section", { class: "card", "aria-labelledby": `models-${key}` }, make("h3", { id: `models-${key}` }, word(key)), children.length ? children : make("p", { class: "hint" }, word("none_here")));

const grid = (cards) => (cards.length ? [make("div", { class: "grid" }, cards)] : []);

function labelSet(one) {
  const types = new Types(one.types);
  const columns = [word("type"), word("code"), word("type_name"), word("definition")];
  return folded(`${one.name}${one.title ? ` · ${one.title}` : ""} (${one.types.length})`, table(columns, one.types.map((type) => row(columns, [types.tag(type.code), make("code", {}, type.code), said(type.name), said(type.definition)]))));
}

function agent(one) {
  return make("div", { class: "card inner model" },
    make("div", { class: "bar" }, make("h4", {}, said(one.name)), make("span", { class: "line" }, make("span", { class: "tag plain" }, said(one.kind)), make("span", { class: "tag plain" }, said(one.labels)))),
    facts([[word("base"), said(one.base)], [word("threshold"), one.threshold === undefined ? "" : String(one.threshold)]]),
    one.scores.length ? make("ul", { class: "plain scores" }, one.scores.map((line) => make("li", {}, said(line)))) : make("p", { class: "hint" }, word("no_scores")),
    folded(word("card"), one.card));
}

function bases(rows) {
  const columns = [word("base"), word("licence"), word("state"), word("size")];
  return table(columns, rows.map((one) => row(columns, [make("span", {}, said(one.name), make("small", {}, said(one.title))), said(one.licence),
    make("span", { class: one.present ? "yes" : "no" }, word(one.present ? "present" : "absent")), `${(one.bytes / 1e9).toFixed(2)} GB`])));
}

function presetTable(presets) {
  const columns = [word("preset"), word("labels_label"), word("taggers_title"), word("filter_label"), word("judge")];
  return table(columns, presets.map((one) => row(columns, [make("strong", {}, said(one.name)), said(one.labels), said(one.taggers.join(", ")), said(one.filter || word("off")), said(one.judge)])));
}
