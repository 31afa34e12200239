"use strict";
const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const all = (selector, within) => Array.from((within || document).querySelectorAll(selector));
const DATA = JSON.parse(byId("details").textContent);
const WORDS = JSON.parse(byId("words").textContent);
const TYPES = new Map(DATA.types.map((type, number) => [type.code, { ...type, number }]));
const LIST_LIMIT = 60;
let language = root.dataset.language;
let opened = null; // what the panel shows: {mark} or {sentence} or {missing}
let opener = null; // what had the focus before the panel opened
let chipsChosen = false;

const word = (key, values) =>
  WORDS[language][key].replace(/\{(\w+)\}/g, (whole, name) => (values && name in values ? values[name] : whole));

const pieces = DATA.marks.map(() => []);
const chips = [];
for (const piece of all(".text .u")) pieces[piece.dataset.mark].push(piece);
for (const chip of all(".text .chip")) chips[chip.dataset.mark] = chip;
const piecesOf = (number) => pieces[number];
const chipOf = (number) => chips[number];

function isVisible(element) {
  if (element.classList.contains("off")) return false;
  const hidden = element.matches(".filtered, .dropped:not(.sole)");
  return !hidden || root.classList.contains("show-dropped");
}

function label(mark) {
  const type = TYPES.get(mark.label);
  return language === "zh" ? type.name : type.code;
}

// ---- language ----

function speak(next) {
  language = next;
  root.lang = next === "zh" ? "zh-CN" : "en";
  root.dataset.language = next;
  for (const element of all("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of all("[data-word-label]")) element.setAttribute("aria-label", word(element.dataset.wordLabel));
  for (const element of all("[data-word-title]")) element.title = word(element.dataset.wordTitle);
  for (const element of all("[data-word-placeholder]")) element.placeholder = word(element.dataset.wordPlaceholder);
  for (const element of all(".flag")) {
    element.dataset.text = word(`flag_${element.dataset.flag}`);
    element.setAttribute("aria-label", element.dataset.text);
  }
  for (const [number, mark] of DATA.marks.entries()) {
    chipOf(number).setAttribute("aria-label", [mark.text, label(mark), word(`state_${mark.state}`)].join(" · "));
  }
  byId("language").lang = next === "zh" ? "en" : "zh-CN";
  // The types have Chinese names only, so a page in English starts with their codes.
  if (!chipsChosen) showChips(next === "zh" ? "name" : "code");
  search();
  if (opened) renderPanel();
}

function showChips(value) {
  root.dataset.chips = value;
  document.querySelector(`input[name="chips"][value="${value}"]`).checked = true;
}

// ---- types and dropped candidates ----

function toggleType(input) {
  for (const element of all(`.text .c${input.dataset.type}`)) element.classList.toggle("off", !input.checked);
}

function toggleAll(checked) {
  for (const input of all(".type-toggle")) {
    input.checked = checked;
    toggleType(input);
  }
}

function showDropped(value) {
  byId("show-dropped").checked = value;
  root.classList.toggle("show-dropped", value);
}

function reveal(mark) {
  if (mark.state === "filtered" || (mark.state === "dropped" && !mark.sole)) showDropped(true);
  const input = document.querySelector(`.type-toggle[data-type="${TYPES.get(mark.label).number}"]`);
  if (!input.checked) {
    input.checked = true;
    toggleType(input);
  }
}

// ---- search ----

let hits = [];
let hitPlace = -1;

function search() {
  const wanted = byId("search").value.trim().toLowerCase();
  for (const element of all(".u.hit")) element.classList.remove("hit");
  hits = [];
  hitPlace = -1;
  if (wanted) DATA.marks.forEach((mark, number) => mark.text.toLowerCase().includes(wanted) && hits.push(number));
  for (const number of hits) for (const piece of piecesOf(number)) piece.classList.add("hit");
  byId("search-count").textContent = wanted ? word("search_count", { n: hits.length }) : "";
  const list = byId("search-list");
  list.replaceChildren(...hits.slice(0, LIST_LIMIT).map(hitRow));
  if (hits.length > LIST_LIMIT) {
    list.append(make("li", { class: "hint" }, word("search_more", { n: hits.length - LIST_LIMIT })));
  }
}

function hitRow(number) {
  const mark = DATA.marks[number];
  const lost = mark.state === "dropped" || mark.state === "filtered";
  const place = DATA.documents[DATA.sentences[mark.sentence].document];
  const row = make("button", { type: "button" }, make("span", lost ? { class: "lost" } : {}, mark.text),
    make("small", {}, `${label(mark)} · ${place}`));
  row.addEventListener("click", () => goTo(number));
  return make("li", {}, row);
}

function nextHit() {
  if (!hits.length) return;
  hitPlace = (hitPlace + 1) % hits.length;
  goTo(hits[hitPlace], { keepFocus: true });
}

// ---- going from place to place ----

function goTo(number, { keepFocus = false } = {}) {
  const mark = DATA.marks[number];
  reveal(mark);
  const chip = chipOf(number);
  openPanel({ mark: number }, keepFocus ? document.activeElement : chip, !keepFocus);
  chip.scrollIntoView({ block: "center" });
}

function stepDispute(step) {
  const marks = DATA.marks.map((mark, number) => ({ ...mark, number })).filter((mark) => mark.conflict !== null);
  const places = [...new Set(marks.map((mark) => mark.conflict))];
  if (!places.length) return;
  const current = opened && opened.mark !== undefined ? DATA.marks[opened.mark].conflict : null;
  let at = places.indexOf(current);
  if (at < 0 && opened && opened.mark !== undefined) {
    const later = marks.find((mark) => mark.number > opened.mark);
    at = later ? places.indexOf(later.conflict) - (step > 0 ? 1 : 0) : places.length - (step > 0 ? 1 : 0);
  } else if (at < 0 && step < 0) at = 0;
  const wanted = places[(at + step + places.length) % places.length];
  const own = marks.filter((mark) => mark.conflict === wanted);
  goTo((own.find((mark) => mark.state !== "dropped") || own[0]).number);
}

function openPanel(what, from, moveFocus) {
  opened = what;
  if (!byId("panel").contains(from)) opener = from;
  renderPanel();
  byId("panel").hidden = false;
  document.querySelector(".columns").classList.add("open");
  root.classList.add("open");
  // The panel takes room, on a narrow screen from below: what was asked about must stay in sight.
  if (from && from.matches(".chip, .flag")) from.scrollIntoView({ block: "nearest" });
  if (moveFocus) byId("panel-title").focus({ preventScroll: true });
}

function closePanel() {
  if (!opened) return;
  opened = null;
  byId("panel").hidden = true;
  document.querySelector(".columns").classList.remove("open");
  root.classList.remove("open");
  for (const element of all(".u.on")) element.classList.remove("on");
  if (opener) opener.focus({ preventScroll: true });
}

// ---- events ----

function markAt(target) {
  let piece = target.closest ? target.closest(".text .u") : null;
  while (piece && !isVisible(piece)) piece = piece.parentElement.closest(".text .u");
  return piece;
}

document.addEventListener("click", (event) => {
  const flagged = event.target.closest(".flag");
  if (flagged) {
    const number = flagged.dataset.sentence;
    openPanel(number === undefined ? { missing: true } : { sentence: Number(number) }, flagged, true);
    return;
  }
  // A reader who selects text wants the text, not the panel.
  if (String(window.getSelection())) return;
  const piece = markAt(event.target);
  if (piece) openPanel({ mark: Number(piece.dataset.mark) }, chipOf(piece.dataset.mark), true);
});
for (const [name, on] of [["mouseover", true], ["mouseout", false]]) {
  document.addEventListener(name, (event) => {
    const piece = markAt(event.target);
    if (piece) for (const one of piecesOf(piece.dataset.mark)) one.classList.toggle("hover", on);
  });
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closePanel();
  const typing = event.target.matches("input[type=search]") || event.ctrlKey || event.metaKey || event.altKey;
  if (!typing && event.key === "n") stepDispute(1);
  if (!typing && event.key === "p") stepDispute(-1);
});
byId("language").addEventListener("click", () => speak(language === "zh" ? "en" : "zh"));
byId("search").addEventListener("input", search);
byId("search").addEventListener("keydown", (event) => event.key === "Enter" && nextHit());
byId("next").addEventListener("click", () => stepDispute(1));
byId("previous").addEventListener("click", () => stepDispute(-1));
byId("all-types").addEventListener("click", () => toggleAll(true));
byId("no-types").addEventListener("click", () => toggleAll(false));
byId("show-dropped").addEventListener("change", (event) => showDropped(event.target.checked));
for (const input of all(".type-toggle")) input.addEventListener("change", () => toggleType(input));
for (const input of all('input[name="chips"]')) {
  input.addEventListener("change", () => {
    chipsChosen = true;
    showChips(input.value);
  });
}
if (window.IntersectionObserver) {
  const links = new Map(all(".documents a").map((link) => [link.getAttribute("href").slice(1), link]));
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) links.get(entry.target.id).classList.toggle("here", entry.isIntersecting);
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const article of all("article")) watch.observe(article);
}
if (window.matchMedia("(max-width: 860px)").matches) for (const part of all("nav details")) part.open = false;
window.addEventListener("DOMContentLoaded", () => speak(language));
