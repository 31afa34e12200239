// The graph of a sentence, drawn: taggers side by side, then filter, conflicts, judge, merge. The path taken is bold.

import { draw, make } from "/assets/dom.js";
import { named, word } from "/assets/words.js";

const BOX = { width: 128, height: 46 };
const GAP = { x: 40, y: 14 };

// Nodes: {id, name, note, time, taken, column, row, rows}; chosen(id) is called with a node that is clicked.
export function graph(columns, chosen) {
  const most = Math.max(...columns.map((column) => column.length));
  const height = most * (BOX.height + GAP.y) - GAP.y + 20;
  const width = columns.length * (BOX.width + GAP.x) - GAP.x + 20;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "graph", width, height, role: "group", "aria-label": word("graph") });
  const placed = columns.map((column, x) => column.map((node, y) => ({
    ...node,
    x: 10 + x * (BOX.width + GAP.x),
    y: 10 + (height - 20 - (column.length * (BOX.height + GAP.y) - GAP.y)) / 2 + y * (BOX.height + GAP.y),
  })));
  placed.slice(1).forEach((column, place) => {
    for (const from of placed[place]) for (const to of column) svg.append(edge(from, to));
  });
  for (const node of placed.flat()) svg.append(box(node, chosen));
  return make("div", { class: "wide graph-holder" }, svg);
}

function edge(from, to) {
  const [x1, y1, x2, y2] = [from.x + BOX.width, from.y + BOX.height / 2, to.x, to.y + BOX.height / 2];
  const middle = (x1 + x2) / 2;
  return draw("path", { d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`, class: from.taken && to.taken ? "edge taken" : "edge" });
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
