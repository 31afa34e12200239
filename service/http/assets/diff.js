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
  const kinds = Object.entries(found.by_kind || {}).map(([kind, one]) => {
    const [alike, otherwise] = Array.isArray(one) ? one : [one.alike ?? one.same ?? 0, one.changed ?? one.otherwise ?? 0];
    return { name: named("kind", kind), part: otherwise, total: alike + otherwise };
  });
  const [before, after] = [found.fallbacks, found.judge_seconds || found.seconds].map((pair) => pair || []);
  frame.root.append(crumbs(run, " / ", link(said(fork.name || other), place(["traces", other]))), make("h2", { class: "title" }, word("diff")),
    make("section", { class: "card" },
      make("p", { class: "figures" }, [["count_sentences", found.sentences], ["count_conflicts", found.conflicts], ["changed", found.changed_conflicts]].map(([key, n]) => make("span", {}, `${word(key)} `, make("b", {}, counted(n))))),
      table(columns, [
        row(columns, [word("run"), link(said(record.name || run), place(["traces", run])), link(said(fork.name || other), place(["traces", other]))]),
        row(columns, [word("judge"), said(record.judge || ""), said(fork.judge || "")]),
        before.length ? row(columns, [word("count_fallbacks"), counted(before[0]), counted(before[1])]) : "",
        after.length ? row(columns, [word("judge_time"), `${after[0].toFixed(2)} s`, `${after[1].toFixed(2)} s`]) : "",
      ]), bars(word("plot_changed"), kinds, "")),
    make("section", { class: "card" }, make("h3", {}, word("changed_sentences")),
      (found.changes || []).length ? make("ol", { class: "plain sentences" }, found.changes.map((one) => sentenceOf(one, other, types))) : make("p", { class: "hint" }, word("nothing_changed"))));
}

function sentenceOf(one, fork, types) {
  const lost = one.only_a || one.lost || [];
  const gained = one.only_b || one.gained || [];
  return make("li", {}, link(said(one.text || one.sentence), place(["traces", fork, one.sentence || one.sentence_id]), { class: "sentence" }),
    make("ul", { class: "plain changes" }, lost.map((entity) => change("−", "lost", entity, types)), gained.map((entity) => change("+", "gained", entity, types))));
}
