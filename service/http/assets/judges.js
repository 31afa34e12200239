// Judges: which one is in place, who holds which version, tests, and the way to another; live while jobs run.

import { ask, at, place, post, put, remove } from "/assets/api.js";
import { button, facts, field, folded, link, make, options, row, said, table } from "/assets/dom.js";
import { every } from "/assets/later.js";
import { moment, word } from "/assets/words.js";

const EVERY_MS = 2000;
const KINDS = ["select", "rewrite", "trained", "hard-vote", "best-tagger", "filter-score"];
const A_PAGE = 10;

export async function show(frame) {
  const standing = make("section", { class: "card in-place", "aria-live": "polite" });
  const list = make("section", { class: "card definitions" });
  const answers = make("section", { class: "card", id: "test", hidden: true, "aria-live": "polite" });
  const history = make("section", { class: "card history" });
  const admin = frame.may("admin");
  let found = null;
  let drawn = "";
  frame.root.append(make("h2", { class: "title" }, word("nav_judges")), make("p", { class: "hint intro" }, word("judges_intro")), standing, list, answers, admin ? addForm() : "", history);
  await refresh();
  await past();
  const chosen = list.querySelector("tr.here");
  if (chosen) chosen.scrollIntoView({ block: "center" });
  every(EVERY_MS, frame, refresh);

  async function refresh() {
    found = await ask(at(["judges"]), { signal: frame.signal });
    renderStanding();
    const now = JSON.stringify([found.judges, found.in_place]);
    if (now !== drawn) renderList();
    drawn = now;
  }

  function renderStanding() {
    const { in_place: current, workers } = found;
    const columns = [word("worker"), word("version"), word("state")];
    standing.replaceChildren(make("h3", {}, word("in_place")),
      current ? facts([[word("judge"), make("strong", {}, said(current.name))], [word("version"), String(current.version)], [word("why_label"), said(current.why || "")], [word("by"), said(current.by || "")], [word("column_when"), moment(current.at, true)]])
        : make("p", { class: "hint" }, word("none_in_place")),
      workers.length ? table(columns, workers.map((one) => row(columns, [said(one.worker), String(one.version),
        one.problem ? make("span", { class: "bad-word" }, said(one.problem)) : make("span", { class: one.changed ? "yes" : "no" }, word(one.changed ? "has_changed" : "not_yet_changed"))])))
        : make("p", { class: "hint" }, word("no_follower")));
  }

  function renderList() {
    const columns = [word("judge"), word("definition"), ""];
    list.replaceChildren(make("h3", {}, word("definitions")), found.judges.length ? table(columns, found.judges.map((one) => row(columns, [
      make("strong", {}, link(said(one.name), place(["judges", one.name]))), make("span", {}, said(one.words), make("small", {}, `${word("revision")} ${one.revision} · `, said(one.by)),
        one.goes_out_to.length ? make("p", { class: "warn" }, word("goes_out_to", { hosts: one.goes_out_to.join(", ") })) : null, folded(word("definition"), inWords(one.definition), { open: one.name === frame.parts[0] })), acts(one)], one.name === frame.parts[0] ? { class: "here" } : {})))
      : make("p", { class: "hint" }, word("no_judges")));
  }

  function acts(one) {
    if (!admin) return "";
    const why = make("input", { type: "text", maxlength: "2000", required: true, placeholder: word("why_label"), "aria-label": word("why_label") });
    const force = make("input", { type: "checkbox" });
    const forced = make("label", { class: "check", hidden: true }, force, " ", word("force"));
    const use = make("form", { class: "line joined", onsubmit: (event) => {
      event.preventDefault();
      frame.attempt(async () => {
        try {
          await post(at(["judges", one.name, "use"]), { why: why.value.trim(), force: force.checked });
        } catch (error) {
          forced.hidden = error.kind !== "judge-test-failed";
          throw error;
        }
        await refresh();
        await past();
      });
    } }, why, make("button", { type: "submit", class: "main" }, word("use_judge")), forced);
    return make("div", { class: "line acts" }, button(word("test_judge"), () => frame.attempt(() => test(one.name))), use,
      button(word("remove"), () => frame.attempt(async () => {
        if (!window.confirm(word("remove_judge_sure"))) return;
        await remove(at(["judges", one.name]));
        await refresh();
      })));
  }

  async function test(name) {
    answers.hidden = false;
    answers.replaceChildren(make("h3", {}, word("testing", { name })));
    try {
      const told = await post(at(["judges", name, "test"]), {}, { signal: frame.signal });
      answers.replaceChildren(testOf(name, told));
    } catch (error) {
      answers.hidden = true;
      throw error;
    }
  }

  async function past(cursor = null) {
    const page = await ask(at(["judges", "history"], { limit: A_PAGE, cursor }), { signal: frame.signal });
    const rows = page.versions;
    const columns = [word("version"), word("judge"), word("why_label"), word("by"), word("column_when"), ""];
    history.replaceChildren(make("h3", {}, word("history")), rows.length ? table(columns, rows.map((one) => row(columns, [String(one.version), make("span", {}, said(one.name), make("small", {}, said(one.words))), said(one.why), said(one.by), moment(one.at, true),
      admin && found.in_place && one.version !== found.in_place.version ? back(one.version) : ""]))) : make("p", { class: "hint" }, word("no_history")),
    page.next ? button(word("earlier"), () => frame.attempt(() => past(page.next))) : "");
  }

  function back(version) {
    return button(word("back_to", { version }), () => frame.attempt(async () => {
      await post(at(["judges", "back"]), { version, why: word("rolled_back", { version }) });
      await refresh();
      await past();
    }));
  }

  function addForm() {
    const name = make("input", { type: "text", required: true, maxlength: "64", autocomplete: "off" });
    const kind = options(make("select", {}), KINDS.map((one) => [one, one]), "hard-vote");
    const more = make("textarea", { rows: "3", spellcheck: "false", placeholder: '{"model": "openai:qwen3-32b", "url": "http://10.0.0.3:8000/v1"}' });
    const form = make("form", { onsubmit: (event) => {
      event.preventDefault();
      frame.attempt(async () => {
        await put(at(["judges", name.value.trim()]), { judge: { kind: kind.value, ...given(more.value) } });
        name.value = more.value = "";
        await refresh();
      });
    } }, make("div", { class: "fields" }, field(word("judge_name"), name), field(word("judge_kind"), kind)), field(word("judge_more"), more, word("judge_more_hint")),
    make("p", { class: "line" }, make("button", { type: "submit", class: "main" }, word("define"))));
    return make("section", { class: "card" }, folded(word("define_title"), form, { id: "define" }));
  }
}

function given(text) {
  if (!text.trim()) return {};
  try {
    return JSON.parse(text);
  } catch (broken) {
    throw new Error(word("not_json"));
  }
}

// A definition without what is as usual.
function inWords(definition) {
  if (typeof definition === "string") return said(definition);
  return make("span", { class: "pairs" }, Object.entries(definition || {}).filter(([, value]) => value !== null && value !== "" && value !== false && !(Array.isArray(value) && !value.length))
    .map(([key, value]) => make("span", { class: "tag plain" }, `${key} `, make("b", {}, said(typeof value === "object" ? JSON.stringify(value) : String(value))))));
}

function testOf(name, found) {
  const columns = [word("sentence"), word("raw_answer"), word("time"), word("result")];
  const result = (one) => (one.usable ? make("span", { class: one.right ? "yes" : "no" }, word(one.right ? "right" : "wrong")) : make("span", { class: "bad-word" }, said(one.problem || word("unusable"))));
  return make("div", {}, make("h3", {}, word("tested", { name })),
    make("p", {}, make("span", { class: found.passed ? "yes" : "bad-word" }, word(found.passed ? "test_passed" : "test_failed")), " · ", said(found.summary)),
    table(columns, found.cases.map((one) => row(columns, [said(one.text), said(one.answer), `${one.seconds.toFixed(2)} s`, result(one)]))));
}
