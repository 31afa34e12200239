// The agreement view: who agrees with whom, what is disputed, whose word is taken.

import { make, row, said, table, visible } from "/assets/dom.js";
import { bars } from "/assets/plots.js";
import { counted, named, word } from "/assets/words.js";

export function agreementView(found, types) {
  const total = Object.values(found.kinds).reduce((sum, n) => sum + n, 0);
  const figures = [["sentences", found.sentences], ["in_dispute", found.in_dispute], ["conflicts", found.conflicts],
    ["fallbacks", found.fallbacks], ["abstained", found.abstained], ["overruled", found.overruled]];
  const byType = found.wins_by_type.map((one) => ({ name: `${visible(one.tagger)} · ${types.name(one.type)}`, part: one.kept, total: one.disputed }));
  const columns = [word("text"), word("type"), word("kept"), word("disputed")];
  return make("div", { class: "agreement" },
    make("p", { class: "figures" }, figures.map(([key, n]) => make("span", {}, `${word(`count_${key}`)} `, make("b", {}, counted(n ?? 0))))),
    make("div", { class: "plots" },
      bars(word("plot_pairs"), found.pairs.map((one) => ({ name: one.taggers.map(visible).join(" / "), part: one.both, total: one.either })), word("plot_pairs_hint")),
      bars(word("plot_wins"), Object.entries(found.wins).map(([name, one]) => ({ name: visible(name), part: one.kept, total: one.disputed })), word("plot_wins_hint")),
      bars(word("plot_kinds"), Object.entries(found.kinds).map(([kind, n]) => ({ name: named("kind", kind), part: n, total })), ""),
      bars(word("plot_judges"), Object.entries(found.judges).map(([name, n]) => ({ name: visible(name), part: n, total: found.conflicts })), ""),
      bars(word("plot_types"), byType.slice(0, 24), "")),
    found.contested.length ? make("section", {}, make("h3", {}, word("contested")), table(columns, found.contested.map((one) => row(columns,
      [said(one.text), types.tag(one.type), counted(one.kept), counted(one.disputed)])))) : null);
}
