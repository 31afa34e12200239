// Traces: #/traces the runs, #/traces/RUN its sentences, #/traces/RUN/SENTENCE the path of one; ~diff compares.

import { ask, at, place, post, remove } from "/assets/api.js";
import { agreementView } from "/assets/agreement.js";
import { JUDGES } from "/assets/choices.js";
import { button, facts, field, folded, link, make, options, row, said, table } from "/assets/dom.js";
import { typesOf } from "/assets/types.js";
import { counted, moment, named, word } from "/assets/words.js";

const A_PAGE = 30;

export async function show(frame) {
  const [run, sentence, other] = frame.parts;
  if (!run) return showRuns(frame);
  if (sentence === "~diff") return (await import("/assets/diff.js")).showDiff(frame, run, other);
  if (sentence === "~agreement") return showAgreement(frame, run);
  if (sentence) return (await import("/assets/trace.js")).showTrace(frame, run, sentence);
  return showRun(frame, run);
}

async function showRuns(frame) {
  const rows = make("tbody", {});
  const columns = [word("run"), word("judge"), word("sentences"), word("origin"), word("column_when")];
  const head = make("thead", {}, make("tr", {}, columns.map((name) => make("th", { scope: "col" }, name))));
  const more = make("p", { class: "line" });
  frame.root.append(make("h2", { class: "title" }, word("nav_traces")), make("p", { class: "hint intro" }, word("traces_intro")),
    make("section", { class: "card" }, make("div", { class: "wide" }, make("table", {}, head, rows)), more));
  await load(null);

  async function load(cursor) {
    const found = await ask(at(["traces"], { limit: A_PAGE, cursor }), { signal: frame.signal });
    rows.append(...found.runs.map((one) => row(columns, [
      link(said(one.run), place(["traces", one.run])), said(one.judge), make("span", { class: "numbers" }, counted(one.sentences)),
      one.origin ? link(said(one.origin), place(["traces", one.origin])) : "", moment(one.started)])));
    more.replaceChildren(found.next ? button(word("more"), () => frame.attempt(() => load(found.next))) : "",
      rows.childElementCount ? "" : make("span", { class: "hint" }, word("no_traces")));
  }
}

export const crumbs = (run, ...rest) =>
  make("p", { class: "crumbs" }, link(word("nav_traces"), "#/traces"), run ? [" / ", link(said(run), place(["traces", run]))] : null, rest);

async function showRun(frame, run) {
  const found = await ask(at(["traces", run]), { signal: frame.signal });
  const types = await typesOf(found.labels);
  frame.title(run);
  const only = frame.query.get("only") ?? "";
  const columns = [word("sentence"), word("conflicts_title"), word("judge"), word("remarks"), word("time")];
  const list = make("tbody", {});
  const more = make("p", { class: "line" });
  const pick = options(make("select", { "aria-label": word("filter_only"), onchange: () => {
    location.hash = place(["traces", run], { only: pick.value });
  } }), [["", word("only_all")], ...["conflicts", "fallbacks", "abstained", "overruled"].map((one) => [one, word(`only_${one}`)])], only);
  frame.root.append(crumbs(null), make("h2", { class: "title" }, said(run)),
    make("section", { class: "card" }, facts([
      [word("judge"), said(found.judge)], [word("labels_label"), said(found.labels)], [word("sentences"), counted(found.sentences)], [word("conflicts_title"), counted(found.conflicts)],
      [word("count_fallbacks"), counted(found.fallbacks)], [word("count_abstained"), counted(found.abstained)], [word("count_overruled"), counted(found.overruled)],
      [word("column_when"), moment(found.started, true)],
      [word("origin"), found.origin ? link(said(found.origin), place(["traces", found.origin])) : ""],
    ]), make("p", { class: "line actions" },
      found.origin ? link(word("compare_origin"), place(["traces", found.origin, "~diff", run]), { class: "button" }) : null,
      link(word("tab_agreement"), place(["traces", run, "~agreement"]), { class: "button" }),
      link(word("export"), at(["traces", run, "export"]), { class: "button", download: "" }),
      frame.may("admin") ? button(word("delete_traces"), () => frame.attempt(async () => {
        if (!window.confirm(word("delete_traces_sure"))) return;
        await remove(at(["traces", run]));
        location.hash = "#/traces";
      })) : null),
    found.forks.length ? make("p", { class: "line hint" }, word("forks"), found.forks.map((one) => link(said(one), place(["traces", one])))) : null,
    frame.may("submit") ? folded(word("fork_title"), forkForm(frame, run, {}), { id: "fork" }) : null),
    make("section", { class: "card" }, make("div", { class: "bar" }, make("h3", {}, word("sentences")), pick),
      make("div", { class: "wide" }, make("table", {}, make("thead", {}, make("tr", {}, columns.map((name) => make("th", { scope: "col" }, name)))), list)), more));
  await load(null);

  async function load(cursor) {
    const page = await ask(at(["traces", run, "sentences"], { only, limit: A_PAGE, cursor }), { signal: frame.signal });
    list.append(...page.sentences.map((one) => row(columns, [link(said(one.sentence), place(["traces", run, one.sentence])),
      one.conflicts ? make("span", {}, counted(one.conflicts), " ", make("small", {}, [...new Set(one.kinds)].map((kind) => named("kind", kind)).join("; "))) : "–",
      said(one.judges.join(", ")), remarks(one), `${one.seconds.toFixed(2)} s`])));
    more.replaceChildren(page.next ? button(word("more"), () => frame.attempt(() => load(page.next))) : "",
      list.childElementCount ? "" : make("span", { class: "hint" }, word("no_sentences")));
  }
}

const remarks = (one) => ["fallbacks", "abstained", "overruled"].filter((key) => one[key]).map((key) => `${word(`count_${key}`)} ${one[key]}`).join(" · ");

// Another judge for a whole run, a sample of it, or given sentences; the fork is then compared with its origin.
export function forkForm(frame, run, { sentences = null, then = null }) {
  const judge = make("input", { type: "text", id: "fork-judge", list: "fork-judges", required: true, value: "hard-vote", autocomplete: "off" });
  const sample = make("input", { type: "number", id: "fork-sample", min: "1" });
  const told = make("span", { role: "status", class: "hint" });
  return make("form", { class: "fork", onsubmit: (event) => {
    event.preventDefault();
    frame.attempt(async () => {
      told.textContent = word("forking");
      try {
        const body = { judge: judge.value.trim(), ...(sentences ? { sentences } : sample.value ? { sample: Number(sample.value) } : {}) };
        const fork = await post(at(["traces", run, "fork"]), body, { signal: frame.signal });
        told.textContent = word("forked", { decided: counted(fork.decided), changed: counted(fork.changed) });
        location.hash = then ? then(fork.run) : place(["traces", run, "~diff", fork.run]);
      } catch (error) {
        told.textContent = "";
        throw error;
      }
    });
  } }, make("div", { class: "fields" }, field(word("another_judge"), judge, word("judge_hint")), sentences ? null : field(word("sample"), sample, word("sample_hint"))),
  make("datalist", { id: "fork-judges" }, JUDGES.map((one) => make("option", { value: one }))),
  make("p", { class: "line" }, make("button", { type: "submit", class: "main" }, word("fork")), told));
}

async function showAgreement(frame, run) {
  const [facts, found] = await Promise.all([ask(at(["traces", run]), { signal: frame.signal }), ask(at(["traces", run, "agreement"]), { signal: frame.signal })]);
  const types = await typesOf(facts.labels);
  frame.root.append(crumbs(run), make("h2", { class: "title" }, word("tab_agreement")), make("section", { class: "card" }, agreementView(found, types)));
}
