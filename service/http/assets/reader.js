// Documents to read: the text with its entities, and beside it what is known about the one that was chosen.

import { button, make, said } from "/assets/dom.js";
import { markedText, same } from "/assets/text.js";
import { named, word } from "/assets/words.js";
import { aboutMark, failuresList, marksOf } from "/assets/who.js";

export class Reader {
  // about(mark, document) gives further elements for the panel.
  constructor(types, { about = () => [] } = {}) {
    this.types = types;
    this.about = about;
    this.documents = [];
    this.dropped = false;
    this.list = make("div", { class: "documents" });
    this.panel = make("aside", { class: "card panel", "aria-live": "polite", "aria-label": word("details") }, make("p", { class: "hint" }, word("reader_hint")));
    this.legend = make("div", { class: "legend" });
    this.element = make("div", { class: "reader" }, make("div", { class: "reading" }, this.legend, this.list), this.panel);
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  show(documents, { append = false } = {}) {
    if (!append) {
      this.documents = [];
      this.list.replaceChildren();
      this.close();
    }
    this.documents.push(...documents);
    this.list.append(...documents.map((one) => this.article(one)));
    this.drawLegend();
  }

  article(document) {
    const marks = marksOf(document, { dropped: this.dropped });
    const conflicts = (document.conflicts || []).length;
    const counts = [word("entities", { n: document.entities.length })];
    if (conflicts) counts.push(word("conflicts", { n: conflicts }));
    const article = make("article", { class: "card" },
      make("div", { class: "bar" }, make("h3", {}, said(document.id)), make("span", { class: "hint" }, counts.join(" · "))),
      failuresList(document.failures),
      markedText(document.text, marks, this.types, (mark, number) => this.open(mark, document, article, number)));
    return article;
  }

  // The panel with a mark; the focus comes back to the mark's label.
  open(mark, document, article, number) {
    for (const one of this.list.querySelectorAll(".u.on")) one.classList.remove("on");
    for (const one of article.querySelectorAll(`.u[data-mark="${number}"]`)) one.classList.add("on");
    this.opener = article.querySelector(`button.chip[data-mark="${number}"]`);
    const title = make("h2", { tabindex: "-1" }, said(mark.text ?? Array.from(document.text).slice(mark.start, mark.end).join("")));
    const close = button("✕", () => this.close(), { "aria-label": word("close"), title: "Esc" });
    this.panel.replaceChildren(make("div", { class: "bar" }, title, close), ...aboutMark(mark, document, this.types).filter(Boolean), ...this.about(mark, document));
    this.panel.classList.add("open");
    this.panel.scrollTop = 0;
    title.focus({ preventScroll: true });
  }

  // Opens the conflict of a link, whatever of it is drawn.
  openConflict(sentence, id) {
    for (const [place, document] of this.documents.entries()) {
      const conflict = (document.conflicts || []).find((one) => one.id === id && one.sentence === sentence);
      if (!conflict) continue;
      const marks = marksOf(document, { dropped: this.dropped });
      const number = marks.findIndex((mark) => mark.conflict === conflict || conflict.candidates.some((one) => same(one, mark)));
      const article = this.list.children[place];
      if (number < 0) return false;
      this.open(marks[number], document, article, number);
      if (this.opener) this.opener.scrollIntoView({ block: "center" });
      return true;
    }
    return false;
  }

  close() {
    for (const one of this.list.querySelectorAll(".u.on")) one.classList.remove("on");
    this.panel.classList.remove("open");
    this.panel.replaceChildren(make("p", { class: "hint" }, word("reader_hint")));
    if (this.opener && this.opener.isConnected) this.opener.focus({ preventScroll: true });
    this.opener = null;
  }

  drawLegend() {
    const counts = new Map();
    for (const document of this.documents) for (const one of document.entities) counts.set(one.label, (counts.get(one.label) || 0) + 1);
    const order = [...this.types.known.keys()].filter((code) => counts.has(code));
    for (const code of counts.keys()) if (!order.includes(code)) order.push(code);
    const signs = ["judged", "fallback", "human"].filter((state) => this.documents.some((one) => one.entities.some((entity) => entity.decision === state)));
    const toggle = make("input", { type: "checkbox", onchange: () => {
      this.dropped = toggle.checked;
      this.show([...this.documents]);
    } });
    toggle.checked = this.dropped;
    this.legend.replaceChildren(
      ...order.map((code) => make("span", { class: "entry" }, this.types.tag(code), ` ${counts.get(code)}`)),
      ...signs.map((state) => make("span", { class: "entry hint" }, make("i", { class: `sign ${state}` }), named("state", state))),
      this.documents.some((one) => (one.conflicts || []).length) ? make("label", { class: "check" }, toggle, ` ${word("show_dropped")}`) : "");
  }
}
