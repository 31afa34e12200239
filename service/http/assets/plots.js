// Bars of shares, drawn as SVG with a table's words in it.

import { draw, make } from "/assets/dom.js";
import { counted, percent } from "/assets/words.js";

const ROW = 34;

// Rows: {name, part, total}. What a bar says stands over it, so that it fits a phone; lengths are shares of the width.
export function bars(title, rows, hint) {
  if (!rows.length) return null;
  const svg = draw("svg", { width: "100%", height: rows.length * ROW, class: "bars", role: "img", "aria-label": title });
  rows.forEach((one, place) => {
    const share = one.total ? one.part / one.total : 0;
    const y = place * ROW;
    const figure = `${percent(share)} (${counted(one.part)} / ${counted(one.total)})`;
    svg.append(
      draw("text", { x: 0, y: y + 15 }, shortened(one.name)),
      draw("text", { x: "100%", y: y + 15, "text-anchor": "end", class: "figure" }, figure),
      draw("rect", { x: 0, y: y + 21, width: "100%", height: 5, rx: 2.5, class: "ground" }),
      draw("rect", { x: 0, y: y + 21, width: percentOf(share), height: 5, rx: 2.5, class: "bar" }));
  });
  return make("figure", { class: "plot" }, make("figcaption", {}, make("strong", {}, title), hint ? make("span", { class: "hint" }, ` ${hint}`) : null), svg);
}

const percentOf = (share) => `${(100 * share).toFixed(2)}%`;
const shortened = (name) => (Array.from(name).length > 30 ? `${Array.from(name).slice(0, 29).join("")}…` : name);
