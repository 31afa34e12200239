// Elements out of plain data. Text is only ever set as text, never as markup.

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

export const make = (name, attributes, ...children) => filled(document.createElement(name), attributes, children);
export const draw = (name, attributes, ...children) => filled(document.createElementNS(SVG, name), attributes, children);

// Attributes that are null or false are left out; a function is a listener of the event in its name (onclick).
function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const button = (text, onclick, attributes) => make("button", { type: "button", onclick, ...attributes }, text);

export const link = (text, href, attributes) => make("a", { href, ...attributes }, text);

export function options(select, rows, chosen) {
  select.replaceChildren(...rows.map(([value, text]) => make("option", { value }, text)));
  if (rows.some(([value]) => value === chosen)) select.value = chosen;
  return select;
}

let fields = 0;

// A label over its field; the field is an element.
export function field(text, element, hint) {
  if (!element.id) element.id = `field-${(fields += 1)}`;
  const told = hint ? make("p", { class: "hint", id: `${element.id}-hint` }, hint) : null;
  if (told) element.setAttribute("aria-describedby", told.id);
  return make("div", { class: "field" }, make("label", { for: element.id }, text), element, told);
}

export const facts = (rows) =>
  make("dl", { class: "facts" }, rows.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));

export function table(columns, rows, attributes) {
  const head = make("tr", {}, columns.map((name) => make("th", { scope: "col" }, name)));
  return make("div", { class: "wide" }, make("table", attributes, make("thead", {}, head), make("tbody", {}, rows)));
}

// On a narrow screen a cell shows its column's name before it.
export const row = (columns, cells, attributes) =>
  make("tr", attributes, cells.map((cell, place) => make("td", { "data-column": columns[place] }, cell)));

export const folded = (title, content, attributes) =>
  make("details", attributes, make("summary", {}, title), typeof content === "string" ? make("pre", { tabindex: "0" }, visible(content)) : content);

// What people or models wrote, in a line of ours: it cannot turn the direction of what follows.
export const said = (text, attributes) => make("bdi", attributes, visible(text));

const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
export const isOdd = (character) => character.search(ODD) >= 0;
export const codeOf = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

// Control characters and those that steer the direction of writing, by their codes.
export const visible = (text) => String(text ?? "").replace(ODD, (one) => (one === "\r" ? "" : `⟨${codeOf(one)}⟩`));
