// Bars of shares, drawn as SVG with a table's words in it.

import { draw, make } from "/assets/dom.js";
import { counted, percent } from "/assets/words.js";

const ROW = 30;
const WIDTH = 640;

// Rows: {name, part, total, note}. What a bar says stands over it, so that it fits a phone.
export function bars(title, rows, hint) {
  if (!rows.length) return null;
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${rows.length * ROW}`, class: "bars", role: "img", "aria-label": title });
  rows.forEach((one, place) => {
    const share = one.total ? one.part / one.total : 0;
    const y = place * ROW;
    const figure = `${percent(share)}  (${counted(one.part)} / ${counted(one.total)})`;
    svg.append(
      draw("text", { x: 0, y: y + 14, class: one.class || "" }, shortened(one.name)),
      draw("text", { x: WIDTH, y: y + 14, "text-anchor": "end", class: "figure" }, figure),
      draw("rect", { x: 0, y: y + 19, width: WIDTH, height: 6, rx: 3, class: "ground" }),
      draw("rect", { x: 0, y: y + 19, width: (share * WIDTH).toFixed(1), height: 6, rx: 3, class: "bar" }));
  });
  return make("figure", { class: "plot" }, make("figcaption", {}, make("strong", {}, title), hint ? make("span", { class: "hint" }, ` ${hint}`) : null), svg);
}

const shortened = (name) => (Array.from(name).length > 44 ? `${Array.from(name).slice(0, 43).join("")}…` : name);
