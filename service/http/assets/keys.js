// Keys: g and a letter go to a place, ? shows what there is. Each view adds its own; they can be switched off.

import { byId, make } from "/assets/dom.js";
import { word } from "/assets/words.js";

const STORED = "medner-keys";
const PLACES = { a: "annotate", j: "jobs", r: "review", t: "traces", u: "judges", m: "models" };
let waiting = 0; // when g was pressed
let added = []; // of the view: [shown keys, word]

export function keysOn() {
  try {
    return localStorage.getItem(STORED) !== "off";
  } catch (refused) {
    return true;
  }
}

export function switchKeys(on) {
  try {
    localStorage.setItem(STORED, on ? "on" : "off");
  } catch (refused) {
    // They are on again the next time.
  }
}

const typing = (element) => element instanceof Element && element.matches("input:not([type=checkbox]):not([type=radio]), textarea, select");

// A view's keys: handle(event) says whether the key was one of its. They end with the view.
export function listen(frame, rows, handle) {
  added = rows;
  frame.signal.addEventListener("abort", () => {
    if (added === rows) added = [];
  });
  document.addEventListener("keydown", (event) => {
    if (!keysOn() || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (typing(event.target) || byId("help").open || waiting) return;
    if (handle(event)) event.preventDefault();
  }, { signal: frame.signal });
}

export function openHelp() {
  const rows = [...added, ["g a · g j · g r · g t · g u · g m", word("keys_places")], ["Tab · Enter", word("keys_tab")], ["?", word("keys_help")]];
  byId("help-rows").replaceChildren(...rows.map(([keys, what]) => make("div", {}, make("dt", {}, make("kbd", {}, keys)), make("dd", {}, what))));
  byId("help").showModal();
}

document.addEventListener("keydown", (event) => {
  if (!keysOn() || event.isComposing || event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
  if (byId("places").hidden || byId("help").open) return;
  if (waiting && event.timeStamp - waiting < 1500 && event.key in PLACES) location.hash = `#/${PLACES[event.key]}`;
  else if (event.key === "?") openHelp();
  // Until the next turn, so that the view does not take the letter for one of its keys.
  const before = waiting;
  waiting = event.key === "g" && !before ? event.timeStamp : 0;
  if (before) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, { capture: true });
