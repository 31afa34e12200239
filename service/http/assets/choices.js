// The options of a job as form fields: label set, preset, taggers, filter, judge.

import { ask } from "/assets/api.js";
import { field, make, options } from "/assets/dom.js";
import { labelSets } from "/assets/types.js";
import { word } from "/assets/words.js";

const TITLES = { labels: "labels_label", preset: "preset", taggers: "taggers_label", filter: "filter_label", judge: "judge_label" };
export const JUDGES = ["hard-vote", "best-tagger", "filter-score", "select"];

let presets = null;

// Fields in a form; values() gives what was chosen, remembered over a change of the language in `kept`.
export async function choices(kept, { registered = [] } = {}) {
  const { default: usual, labels } = await labelSets();
  presets = presets || ask("/v1/models").then((found) => found.presets, () => []);
  const shipped = await presets;
  const fields = Object.fromEntries(["labels", "preset", "taggers", "filter", "judge"].map((name) => [name, make("select", { id: name })]));
  const fill = () => {
    const chosen = labels.find((one) => one.name === fields.labels.value) || labels[0];
    const byDefault = (what) => `${word("by_default")}${what ? ` (${what})` : ""}`;
    const names = (rows) => rows.map((name) => [name, name]);
    const fitting = shipped.filter((one) => one.labels === chosen.name && one.name !== "default").map((one) => one.name);
    options(fields.preset, [["", byDefault("")], ...names(fitting)], kept.preset);
    options(fields.taggers, [["", byDefault(chosen.default_taggers.join(", "))], ...names(chosen.taggers)], kept.taggers);
    options(fields.filter, [["", byDefault("")], ["off", word("off")], ...names(chosen.filters)], kept.filter);
    const judges = [...JUDGES, ...registered.map((name) => `@${name}`)];
    options(fields.judge, [["", byDefault(chosen.default_judge)], ...names(judges)], kept.judge);
  };
  options(fields.labels, labels.map((one) => [one.name, one.title ? `${one.name} · ${one.title}` : one.name]), kept.labels || usual);
  fill();
  for (const [name, select] of Object.entries(fields)) select.addEventListener("change", () => {
    kept[name] = select.value;
    if (name === "labels") fill();
  });
  const element = make("div", { class: "fields" }, Object.entries(fields).map(([name, select]) => field(word(TITLES[name]), select)));
  return { element, values: () => Object.fromEntries(Object.entries(fields).map(([name, select]) => [name, select.value]).filter(([, value]) => value)) };
}
