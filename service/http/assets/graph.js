// The graph of a sentence, drawn: taggers side by side, then filter, conflicts, judge, merge. The path taken is bold.

import { draw, make } from "/assets/dom.js";
import { named, word } from "/assets/words.js";

const BOX = { width: 128, height: 46 };
const GAP = { x: 40, y: 14 };

// Nodes: {id, name, note, time, taken}; chosen(id) is called with a node that is clicked. On a phone it goes downwards.
export function graph(columns, chosen) {
  const down = window.matchMedia("(max-width: 640px)").matches;
  const most = Math.max(...columns.map((column) => column.length));
  const step = down ? { x: BOX.width + GAP.y, y: BOX.height + GAP.x / 1.6 } : { x: BOX.width + GAP.x, y: BOX.height + GAP.y };
  const [wide, high] = down ? [most, columns.length] : [columns.length, most];
  const width = (wide - 1) * step.x + BOX.width + 20;
  const height = (high - 1) * step.y + BOX.height + 20;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "graph", width, height, role: "group", "aria-label": word("graph") });
  const placed = columns.map((column, along) => column.map((node, across) => {
    const middle = across + (most - column.length) / 2;
    const [x, y] = down ? [middle, along] : [along, middle];
    return { ...node, x: 10 + x * step.x, y: 10 + y * step.y };
  }));
  placed.slice(1).forEach((column, before) => {
    for (const from of placed[before]) for (const to of column) svg.append(edge(from, to, down));
  });
  for (const node of placed.flat()) svg.append(box(node, chosen));
  return make("div", { class: "wide graph-holder" }, svg);
}

function edge(from, to, down) {
  const [x1, y1] = down ? [from.x + BOX.width / 2, from.y + BOX.height] : [from.x + BOX.width, from.y + BOX.height / 2];
  const [x2, y2] = down ? [to.x + BOX.width / 2, to.y] : [to.x, to.y + BOX.height / 2];
  const [mx, my] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const bend = down ? `${x1} ${my} ${x2} ${my}` : `${mx} ${y1} ${mx} ${y2}`;
  return draw("path", { d: `M${x1} ${y1}C${bend} ${x2} ${y2}`, class: from.taken && to.taken ? "edge taken" : "edge" });
}

function box(node, chosen) {
  const label = [node.name, node.note, node.time, node.taken ? "" : word("not_taken")].filter(Boolean).join(" · ");
  const act = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    chosen(node.id);
  };
  return draw("g", { class: `node${node.taken ? " taken" : ""}${node.bad ? " bad" : ""}`, role: "button", tabindex: "0", "data-node": node.id, "aria-label": label, onclick: act, onkeydown: act },
    draw("rect", { x: node.x, y: node.y, width: BOX.width, height: BOX.height, rx: 8 }),
    draw("text", { x: node.x + BOX.width / 2, y: node.y + 19, "text-anchor": "middle", class: "name" }, short(node.name)),
    draw("text", { x: node.x + BOX.width / 2, y: node.y + 36, "text-anchor": "middle", class: "note" }, [node.note, node.time].filter(Boolean).join(" · ")));
}

const short = (name) => (name.length > 16 ? `${name.slice(0, 15)}…` : name);

export const milliseconds = (value) => (value === null || value === undefined ? "" : value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);

// The columns of a trace.
export function columnsOf(trace) {
  const time = (node) => {
    const found = trace.steps.find((one) => one.node === node);
    return found ? milliseconds(found.milliseconds) : "";
  };
  const taggers = trace.answers.map((one) => ({
    id: `tag:${one.tagger}`, name: one.tagger, note: word("n_entities", { n: one.entities.length }),
    time: milliseconds(one.seconds === null || one.seconds === undefined ? null : 1000 * one.seconds), taken: true, bad: (one.rejected || []).length > 0,
  }));
  const conflicts = trace.conflicts.length;
  const fallbacks = trace.conflicts.some((one) => one.verdict && (one.verdict.fallback || one.verdict.abstained));
  const overruled = trace.conflicts.some((one) => one.verdict && one.verdict.overruled);
  return [
    taggers,
    [{ id: "filter", name: named("node", "filter"), note: "", time: time("filter"), taken: true }],
    [{ id: "detect_conflicts", name: named("node", "detect_conflicts"), note: word("n_conflicts", { n: conflicts }), time: time("detect_conflicts"), taken: true }],
    [{ id: "judge", name: named("node", "judge"), note: conflicts ? "" : word("not_asked"), time: conflicts ? time("judge") : "", taken: conflicts > 0, bad: fallbacks },
      ...(overruled ? [{ id: "person", name: named("node", "person"), note: "", time: "", taken: true }] : [])],
    [{ id: "merge", name: named("node", "merge"), note: word("n_entities", { n: trace.entities.length }), time: time("merge"), taken: true }],
  ];
}
