// A text with its entities underlined: nested and crossing ones on tracks of their own.
// Offsets count code points, ends are exclusive.

import { codeOf, isOdd, make } from "/assets/dom.js";
import { named } from "/assets/words.js";

const UNBROKEN = 12; // the longest piece of text that may not be broken before its label

// Marks: {start, end, label, state, shown}. Gives an element; chosen(mark) is called with what is clicked.
export function markedText(text, marks, types, chosen, { region = null } = {}) {
  const characters = Array.from(text);
  const tracks = assignTracks(marks);
  const root = make("div", { class: "text", lang: "zh-CN" });
  for (const [first, last] of passages(characters, marks)) {
    const inside = marks.map((mark, number) => ({ mark, number })).filter(({ mark }) => mark.start < last && first < mark.end);
    const depth = Math.max(0, ...inside.map(({ number }) => tracks[number] + 1));
    const passage = make("span", { class: "passage" });
    if (depth) passage.style.setProperty("--depth", depth);
    for (const piece of segments(characters, [first, last], inside, region)) passage.append(drawn(piece));
    root.append(passage);
  }
  return root;

  function drawn({ start, end, over }) {
    let content = [...plain(characters.slice(start, end))];
    for (const { mark, number } of [...over].reverse()) {
      const last = mark.end === end;
      const piece = make("span", { class: `u ${types.color(mark.label)} ${mark.state}`, "data-mark": number }, content, last ? chip(mark, number) : null);
      piece.style.setProperty("--track", tracks[number]);
      if (chosen) piece.addEventListener("click", (event) => {
        event.stopPropagation();
        chosen(mark, number);
      });
      content = [piece];
    }
    const within = region && start >= region.start && end <= region.end;
    const whole = end - start <= UNBROKEN && over.some(({ mark }) => mark.end === end);
    const name = [within ? "region" : "", whole ? "whole" : ""].filter(Boolean).join(" ");
    return make(within ? "mark" : "span", { class: name || null }, content);
  }

  function chip(mark, number) {
    const name = types.name(mark.label);
    const text = characters.slice(mark.start, mark.end).join("");
    const label = [text.length > 200 ? `${text.slice(0, 200)}…` : text, name, named("state", mark.state)].join(" · ");
    if (!chosen) return make("span", { class: "chip", "data-name": name });
    return make("button", { type: "button", class: "chip", "data-name": name, "data-mark": number, "aria-label": label });
  }
}

// A character that would turn or hide what follows stands alone, with its code beside it.
function* plain(characters) {
  let run = "";
  for (const one of characters) {
    if (!isOdd(one) || one === "\r") {
      run += one;
      continue;
    }
    if (run) yield run;
    run = "";
    yield make("bdi", { class: "odd", "data-code": codeOf(one) }, one);
  }
  if (run) yield run;
}

// Lines of the text, joined where a mark goes over the end of one.
function passages(characters, marks) {
  const found = [];
  let start = 0;
  const ends = [...marks].sort((one, other) => one.start - other.start);
  for (let at = 0; at < characters.length; at += 1) {
    const last = at === characters.length - 1;
    if (!last && (characters[at] !== "\n" || ends.some((mark) => mark.start <= at && mark.end > at + 1))) continue;
    found.push([start, at + 1]);
    start = at + 1;
  }
  return found;
}

const HAN = /[\u4e00-\u9fff]/;

// Stretches under the same marks; of several marks the one that ends last is outermost, so that labels nest.
function segments(characters, [first, last], inside, region) {
  const cuts = new Set([first, last]);
  for (const one of [...inside.map(({ mark }) => mark), ...(region ? [region] : [])]) {
    for (const at of [one.start, one.end]) if (at > first && at < last) cuts.add(at);
    // The last character goes with the label behind it.
    if (one.end - 1 > first && one.end - 1 > one.start && HAN.test(characters[one.end - 1])) cuts.add(one.end - 1);
  }
  const edges = [...cuts].sort((one, other) => one - other);
  return edges.slice(1).map((end, place) => {
    const start = edges[place];
    const over = inside.filter(({ mark }) => mark.start < end && start < mark.end)
      .sort((one, other) => other.mark.end - one.mark.end || one.mark.start - other.mark.start || one.number - other.number);
    return { start, end, over };
  });
}

// A track for each mark, 0 nearest to the text, such that overlapping marks never share one.
export function assignTracks(marks) {
  const size = (mark) => mark.end - mark.start;
  const order = marks.map((mark, number) => number).sort((one, other) => size(marks[one]) - size(marks[other]) || marks[one].start - marks[other].start);
  const tracks = [];
  for (const number of order) {
    const taken = new Set(order.filter((other) => tracks[other] !== undefined && overlap(marks[other], marks[number])).map((other) => tracks[other]));
    let track = 0;
    while (taken.has(track)) track += 1;
    tracks[number] = track;
  }
  return tracks;
}

export const overlap = (one, other) => one.start < other.end && other.start < one.end;
export const same = (one, other) => one.start === other.start && one.end === other.end && one.label === other.label;
