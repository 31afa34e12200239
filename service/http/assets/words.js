// The page's words in two languages, and the elements that show them.

const WORDS = JSON.parse(document.getElementById("words").textContent);
const STORED = "medner-language";
let language = stored() === "en" ? "en" : "zh";
const listeners = [];

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch (refused) {
    return null; // storage is switched off
  }
}

export const word = (key, values) =>
  WORDS[language][key].replace(/\{(\w+)\}/g, (whole, name) => (values && name in values ? values[name] : whole));

export const spoken = () => language;

export const onLanguage = (listener) => listeners.push(listener);

export function speak(next) {
  language = next;
  try {
    localStorage.setItem(STORED, next);
  } catch (refused) {
    // It is Chinese again the next time.
  }
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  document.title = word("title");
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-word-title]")) element.title = word(element.dataset.wordTitle);
  document.getElementById("language").lang = next === "zh" ? "en" : "zh-CN";
  for (const listener of listeners) listener();
}

export function duration(seconds) {
  if (seconds < 90) return word("seconds", { n: Math.round(seconds) });
  if (seconds < 5400) return word("minutes", { n: Math.round(seconds / 60) });
  return word("hours", { n: (seconds / 3600).toFixed(1) });
}

export const counted = (n) => n.toLocaleString("en");
