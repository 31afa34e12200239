// An entity that no tagger gave: its words, as they are in the sentence, and its type.

import { field, folded, make, options } from "/assets/dom.js";
import { word } from "/assets/words.js";

export class Addition {
  // What is selected in `sentence()` with the mouse becomes its words.
  constructor(types, changed = () => {}) {
    this.words = make("input", { type: "text", autocomplete: "off", lang: "zh-CN", oninput: changed });
    this.type = options(make("select", { onchange: changed }), types.all.map((one) => [one.code, types.name(one.code)]));
    this.element = folded(word("add_title"), make("div", { class: "fields" }, field(word("add_words"), this.words, word("add_hint")), field(word("type"), this.type)), { class: "addition" });
  }

  get given() {
    return this.words.value.trim();
  }

  take(selected) {
    if (!selected.trim()) return;
    this.words.value = selected.trim();
    this.element.open = true;
    this.words.dispatchEvent(new Event("input"));
  }

  clear() {
    this.words.value = "";
    this.element.open = false;
  }

  // Of several places with these words, the one nearest to the conflict. An error where there is none.
  entities(text, conflict) {
    if (!this.given) return [];
    const size = Array.from(this.given).length;
    const places = [];
    for (let at = text.indexOf(this.given); at >= 0; at = text.indexOf(this.given, at + 1)) places.push(Array.from(text.slice(0, at)).length);
    if (!places.length) throw new Error(word("not_in_sentence", { words: this.given }));
    const [start] = places.sort((one, other) => Math.abs(one - conflict.start) - Math.abs(other - conflict.start));
    return [{ start, end: start + size, label: this.type.value }];
  }
}

export const selectedIn = (element) => {
  const found = window.getSelection();
  return found.rangeCount && element.contains(found.anchorNode) && element.contains(found.focusNode) ? found.toString() : "";
};
