// Label sets and the names and colours of their types.

import { ask } from "/assets/api.js";
import { make } from "/assets/dom.js";
import { spoken } from "/assets/words.js";

const COLORS = 9;
let asked = null;

export function labelSets() {
  asked = asked || ask("/v1/labels").catch((error) => {
    asked = null;
    throw error;
  });
  return asked;
}

export function forgetLabels() {
  asked = null;
}

// The types of a label set by code; a code that is in none still has a name and a colour.
export async function typesOf(name) {
  const { default: usual, labels } = await labelSets();
  const found = labels.find((one) => one.name === (name || usual));
  return new Types(found ? found.types : []);
}

export class Types {
  constructor(types) {
    this.all = types;
    this.known = new Map(types.map((type, number) => [type.code, { ...type, number }]));
  }

  name(code) {
    const type = this.known.get(code);
    return type && spoken() === "zh" ? type.name : code;
  }

  color(code) {
    if (!this.known.has(code)) this.known.set(code, { code, name: code, number: this.known.size });
    return `c${this.known.get(code).number % COLORS}`;
  }

  tag(code) {
    const type = this.known.get(code);
    const other = type && type.name !== code ? (spoken() === "zh" ? code : type.name) : null;
    return make("span", { class: `tag ${this.color(code)}`, title: other }, this.name(code));
  }
}
