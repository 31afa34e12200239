// Two runs over the same sentences: what another judge changed.

import { ask, at, place } from "/assets/api.js";
import { link, make, row, said, table } from "/assets/dom.js";
import { bars } from "/assets/plots.js";
import { change } from "/assets/trace.js";
import { crumbs } from "/assets/traces.js";
import { typesOf } from "/assets/types.js";
import { counted, named, word } from "/assets/words.js";

export async function showDiff(frame, run, other) {
  const [record, fork, found] = await Promise.all([ask(at(["traces", run]), { signal: frame.signal }), ask(at(["traces", other]), { signal: frame.signal }),
    ask(at(["traces", run, "diff", other]), { signal: frame.signal })]);
  const types = await typesOf(record.labels);
  frame.title(word("diff"));
  const columns = ["", word("origin"), word("fork")];
  const kinds = Object.entries(found.by_kind).map(([kind, one]) => ({ name: named("kind", kind), part: one.otherwise, total: one.alike + one.otherwise }));
  const types_ = [["gained", found.gained], ["lost", found.lost]].map(([key, counts]) => Object.entries(counts).map(([code, n]) => make("span", {}, types.tag(code), ` ${key === "gained" ? "+" : "−"}${n}`)));
  frame.root.append(crumbs(run, " / ", link(said(other), place(["traces", other]))), make("h2", { class: "title" }, word("diff")),
    make("section", { class: "card" },
      make("p", { class: "figures" }, [["count_sentences", found.sentences], ["count_conflicts", found.conflicts], ["changed", found.changed_conflicts]].map(([key, n]) => make("span", {}, `${word(key)} `, make("b", {}, counted(n))))),
      table(columns, [
        row(columns, [word("run"), link(said(run), place(["traces", run])), link(said(other), place(["traces", other]))]),
        row(columns, [word("judge"), said(record.judge || ""), said(fork.judge || "")]),
        row(columns, [word("count_fallbacks"), ...found.fallbacks.map(counted)]),
        row(columns, [word("judge_time"), ...found.judging_seconds.map((one) => `${one.toFixed(2)} s`)]),
      ]), make("p", { class: "line" }, types_), bars(word("plot_changed"), kinds, "")),
    make("section", { class: "card" }, make("h3", {}, word("changed_sentences")),
      found.changes.length ? make("ol", { class: "plain sentences" }, found.changes.map((one) => sentenceOf(one, other, types))) : make("p", { class: "hint" }, word("nothing_changed"))));
}

function sentenceOf(one, fork, types) {
  return make("li", {}, link(said(one.text), place(["traces", fork, one.sentence]), { class: "sentence" }),
    make("ul", { class: "plain changes" }, one.only_a.map((entity) => change("−", "lost", entity, types)), one.only_b.map((entity) => change("+", "gained", entity, types))));
}
