// One conflict on a reviewer's desk: claimed, looked at, decided or skipped.

import { Addition, selectedIn } from "/assets/addition.js";
import { at, place, post } from "/assets/api.js";
import { candidateCard, noneCard } from "/assets/cards.js";
import { JUDGES } from "/assets/choices.js";
import { button, folded, link, make, options, said } from "/assets/dom.js";
import { markedText } from "/assets/text.js";
import { aboutVerdict, gave, isKept } from "/assets/who.js";
import { named, word } from "/assets/words.js";

const KEEP_MS = 120_000; // a claim lasts five minutes

export class Desk {
  constructor(frame, job, types, changed) {
    Object.assign(this, { frame, job, types, changed, claim: null, chosen: new Set(), none: false, asked: [], busy: false, skipped: false, names: [], seen: new Set() });
    this.element = make("section", { class: "desk" });
    this.reason = make("input", { type: "text", id: "reason", maxlength: "2000", autocomplete: "off", "aria-label": word("why_label"), placeholder: word("why_label"), onkeydown: (event) => this.inReason(event) });
    this.addition = new Addition(types, () => this.drawDecide());
    frame.signal.addEventListener("abort", () => this.giveBack());
    window.addEventListener("pagehide", () => this.giveBack(), { signal: frame.signal });
    const keep = setInterval(() => this.claim && post(at(["review", "claims", this.claim.claim, "keep"])).catch(() => null), KEEP_MS);
    frame.signal.addEventListener("abort", () => clearInterval(keep));
  }

  // A reviewer who leaves gives the conflict back.
  giveBack() {
    if (!this.claim) return;
    const { claim } = this.claim;
    this.claim = null;
    fetch(at(["review", "claims", claim]), { method: "DELETE", credentials: "same-origin", keepalive: true }).catch(() => null);
  }

  async next() {
    const wanted = this.skipped ? { skipped: true } : {};
    // Not ended with the view: whoever asked and left still has to give back what comes.
    this.claim = await post(at(["jobs", this.job.id, "review", "claim"]), wanted);
    if (this.frame.signal.aborted) return this.giveBack();
    Object.assign(this, { chosen: new Set(), none: false, asked: [] });
    this.reason.value = "";
    this.addition.clear();
    this.render();
  }

  render() {
    if (!this.claim) {
      this.element.replaceChildren(make("div", { class: "card done" }, make("h2", { tabindex: "-1", class: "title" }, word("review_done")),
        make("p", { class: "line" }, this.undoButton(),
        button(word("look_at_skipped"), () => this.frame.attempt(async () => {
          this.skipped = true;
          await this.next();
        })), link(word("open_job"), place(["jobs", this.job.id]), { class: "button" }))));
      return;
    }
    const { conflict, text, sentence, run } = this.claim;
    const marks = conflict.candidates.map((one, number) => ({ ...one, state: this.keeps(number + 1) ? "agreed" : "dropped" }));
    const region = { start: conflict.start, end: conflict.end };
    const shown = markedText(text, marks, this.types, (mark, number) => this.toggle(number + 1), { region });
    shown.addEventListener("mouseup", () => this.addition.take(selectedIn(shown)));
    this.deciding = make("div", { class: "line" });
    this.drawDecide();
    this.element.replaceChildren(
      make("div", {},
        make("div", { class: "card sentence" },
          make("div", { class: "bar" }, make("h2", { tabindex: "-1" }, named("kind", conflict.kind)),
            make("span", { class: "line" }, link(word("in_note"), place(["jobs", this.job.id, "documents"], { document: this.claim.document, sentence, conflict: conflict.id })),
              link(word("open_trace"), place(["traces", run, sentence], { conflict: conflict.id })))),
          shown,
          conflict.context.length ? make("p", { class: "line hint" }, word("context"), conflict.context.map((one) => make("span", {}, said(one.text), " ", this.types.tag(one.label)))) : null),
        make("div", { class: "cards", role: "group", "aria-label": word("candidates") }, conflict.candidates.map((one, number) => this.card(number + 1)), noneCard(this.none, () => this.chooseNone())),
        make("div", { class: "card decide" }, this.deciding, this.addition.element)),
      make("div", { class: "card beside" }, make("h3", {}, word("judges_verdict")), aboutVerdict(conflict, this.types), this.askRow(), ...this.asked));
  }

  card(number) {
    return candidateCard(this.claim.conflict, number, this.types, { chosen: this.chosen.has(number), choose: () => this.toggle(number) });
  }

  drawDecide() {
    this.deciding.replaceChildren(this.decideButton(), this.skipButton(), this.undoButton(), this.reason);
  }

  keeps(number) {
    return this.kept().includes(number);
  }

  // The numbers that a decision keeps. Who chooses nothing takes the judge's, unless something is added in its place.
  kept() {
    const { verdict } = this.claim.conflict;
    if (this.none) return [];
    if (this.chosen.size) return [...this.chosen].sort((one, other) => one - other);
    return this.addition.given || !verdict ? [] : verdict.kept;
  }

  toggle(number) {
    if (this.chosen.has(number)) this.chosen.delete(number);
    else this.chosen.add(number);
    this.none = false;
    this.redraw();
  }

  chooseNone() {
    this.none = !this.none;
    this.chosen.clear();
    this.redraw();
  }

  // The focus stays on the card it was on.
  redraw() {
    const focused = document.activeElement;
    const number = this.element.contains(focused) ? focused.dataset.number : null;
    const wasNone = focused.classList && focused.classList.contains("none");
    const inReason = focused === this.reason;
    this.render();
    if (inReason) this.reason.focus();
    else if (number) this.element.querySelector(`.candidate[data-number="${number}"]`).focus();
    else if (wasNone) this.element.querySelector(".candidate.none").focus();
  }

  // Without a choice of one's own the judge's verdict is taken, unless it abstained.
  canDecide() {
    const { verdict } = this.claim.conflict;
    return this.none || this.chosen.size > 0 || this.addition.given !== "" || (Boolean(verdict) && !verdict.abstained);
  }

  decideButton() {
    const own = this.none || this.chosen.size > 0 || this.addition.given;
    const added = this.addition.given ? "+" : "";
    const what = !own ? word("keep_verdict") : this.kept().length || added ? word("keep_numbers", { numbers: [...this.kept(), added].filter(Boolean).join(", ") }) : word("keep_none");
    const found = button(what, () => this.frame.attempt(() => this.decide()), { class: "main", id: "decide" });
    found.disabled = !this.canDecide();
    found.append(" ", make("kbd", {}, "Enter"));
    return found;
  }

  skipButton() {
    return make("button", { type: "button", id: "skip-conflict", onclick: () => this.frame.attempt(() => this.skip()) }, word("skip_conflict"), " ", make("kbd", {}, "S"));
  }

  undoButton() {
    return make("button", { type: "button", id: "undo", onclick: () => this.frame.attempt(() => this.undo()) }, word("undo"), " ", make("kbd", {}, "U"));
  }

  askRow() {
    const names = [...JUDGES, ...this.taggers().map((name) => `best-tagger:${name}`), ...this.names.map((name) => `@${name}`)];
    const judge = options(make("select", { "aria-label": word("another_judge"), id: "ask-judge" }), names.map((one) => [one, one]), lastJudge);
    return make("div", { class: "line ask" }, judge, button(word("ask_judge"), () => this.frame.attempt(async () => {
      lastJudge = judge.value;
      await this.askJudge(judge.value);
    }), { id: "ask" }));
  }

  taggers() {
    for (const one of this.claim.conflict.candidates) for (const name of one.taggers) this.seen.add(name);
    return [...this.seen].sort();
  }

  async askJudge(judge) {
    const { claim, conflict } = this.claim;
    const { verdict } = await post(at(["review", "claims", claim, "ask"]), { judge }, { signal: this.frame.signal });
    const kept = conflict.candidates.filter((one, number) => verdict.kept.includes(number + 1));
    this.asked.unshift(make("div", { class: "other" },
      make("p", { class: "line" }, make("strong", {}, said(`${verdict.judge} ${verdict.version}`)),
        kept.length ? kept.map((one) => make("span", {}, gave(true), " ", said(one.text), " ", this.types.tag(one.label))) : word("keeps_none")),
      verdict.abstained ? make("p", { class: "warn" }, word("abstained")) : null,
      verdict.fallback ? make("p", { class: "warn" }, `${word("fallback_used")}: `, said(verdict.fallback_reason || "")) : null,
      verdict.answer ? folded(word("raw_answer"), verdict.answer) : null));
    this.redraw();
  }

  async once(work) {
    if (this.busy) return;
    this.busy = true;
    try {
      await work();
    } finally {
      this.busy = false;
    }
  }

  async decide() {
    await this.once(async () => {
      if (!this.claim || !this.canDecide()) return;
      const { claim, conflict, text } = this.claim;
      const body = { keep: this.kept(), add: this.addition.entities(text, conflict), why: this.reason.value.trim() };
      await this.settle(() => post(at(["review", "claims", claim, "decide"]), body));
    });
  }

  async skip() {
    await this.once(async () => {
      if (!this.claim) return;
      const { claim } = this.claim;
      await this.settle(() => post(at(["review", "claims", claim, "skip"]), { why: this.reason.value.trim() }));
    });
  }

  // A claim that was lost is said, and the next conflict comes all the same.
  async settle(work) {
    let lost = null;
    try {
      await work();
      this.claim = null;
    } catch (error) {
      if (error.status !== 409) throw error;
      this.claim = null;
      lost = error;
    }
    await this.next();
    this.focusTitle();
    await this.changed();
    if (lost) throw lost;
  }

  async undo() {
    await this.once(async () => {
      await post(at(["jobs", this.job.id, "review", "undo"]));
      this.giveBack();
      await this.next();
      this.focusTitle();
      await this.changed();
    });
  }

  focusTitle() {
    const title = this.element.querySelector("h2");
    if (title) title.focus({ preventScroll: true });
  }

  inReason(event) {
    if (event.key === "Escape") this.reason.blur();
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      this.frame.attempt(() => this.decide());
    }
  }

  // Keys of the view; says whether the key was one of them.
  pressed(event) {
    const key = event.key.toLowerCase();
    const onControl = event.target instanceof Element && event.target.closest("a, summary, button:not(.candidate)");
    if (key === "u") return run(this, () => this.undo());
    if (!this.claim) return false;
    if (key === "s") return run(this, () => this.skip());
    if (key === "0") return does(() => this.chooseNone());
    if (key >= "1" && key <= "9" && Number(key) <= this.claim.conflict.candidates.length) return does(() => this.toggle(Number(key)));
    if (key === "r") return does(() => this.reason.focus());
    if (key === "a") return does(() => this.element.querySelector("#ask-judge").focus());
    if (key === "enter" && !onControl) return run(this, () => this.decide());
    return false;
  }
}

let lastJudge = "hard-vote";

function does(work) {
  work();
  return true;
}

function run(desk, work) {
  desk.frame.attempt(work);
  return true;
}
