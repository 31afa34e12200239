// The words of the pages in two languages.

const WORDS = JSON.parse(document.getElementById("words").textContent);
const STORED = "medner-language";
let language = stored() === "en" ? "en" : "zh";

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch (refused) {
    return null; // storage is switched off
  }
}

export const has = (key) => key in WORDS[language];

export const word = (key, values) =>
  WORDS[language][key].replace(/\{(\w+)\}/g, (whole, name) => (values && name in values ? values[name] : whole));

// The word of a value that the server may know and this page not.
export const named = (prefix, value) => (has(`${prefix}_${value}`) ? word(`${prefix}_${value}`) : String(value));

export const spoken = () => language;

export function speak(next) {
  language = next;
  try {
    localStorage.setItem(STORED, next);
  } catch (refused) {
    // It is Chinese again the next time.
  }
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-word-label]")) {
    element.setAttribute("aria-label", word(element.dataset.wordLabel));
  }
  document.getElementById("language").lang = next === "zh" ? "en" : "zh-CN";
}

export function duration(seconds) {
  if (seconds < 90) return word("seconds", { n: Math.round(seconds) });
  if (seconds < 5400) return word("minutes", { n: Math.round(seconds / 60) });
  return word("hours", { n: (seconds / 3600).toFixed(1) });
}

export const counted = (n) => Number(n).toLocaleString("en");

export const percent = (share) => (Number.isFinite(share) ? `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %` : "–");

export const scored = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));

export function moment(at, long) {
  const style = long ? { dateStyle: "medium", timeStyle: "medium" } : { dateStyle: "short", timeStyle: "short" };
  return new Date(at).toLocaleString(language === "zh" ? "zh-CN" : "en-GB", style);
}
