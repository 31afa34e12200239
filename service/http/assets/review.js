// Review: #/review lists jobs with conflicts, #/review/JOB is one conflict at a time.

import { ask, at, place } from "/assets/api.js";
import { link, make, row, said, table } from "/assets/dom.js";
import { Desk } from "/assets/desk.js";
import { listen } from "/assets/keys.js";
import { every } from "/assets/later.js";
import { typesOf } from "/assets/types.js";
import { counted, duration, moment, percent, word } from "/assets/words.js";

const EVERY_MS = 5000;
const JOBS = 50;

export async function show(frame) {
  if (!frame.may("review")) {
    frame.root.append(make("h2", { class: "title" }, word("nav_review")), make("p", { class: "warn" }, word("no_review_scope")));
    return;
  }
  if (frame.parts.length) return reviewJob(frame, frame.parts[0]);
  frame.root.append(make("h2", { class: "title" }, word("nav_review")), make("p", { class: "hint intro" }, word("review_intro")));
  const found = await ask(at(["jobs"], { limit: JOBS }), { signal: frame.signal });
  const jobs = found.jobs.filter((job) => job.counts.conflicts);
  const columns = [word("column_job"), word("left_title"), word("decided"), word("column_when")];
  const cells = jobs.map(() => [make("span", { class: "numbers" }, "…"), make("span", { class: "numbers" }, "…")]);
  frame.root.append(make("section", { class: "card" }, jobs.length
    ? table(columns, jobs.map((job, number) => row(columns, [
      make("span", {}, link(said(job.name || job.id), place(["review", job.id])), job.name ? make("small", {}, job.id) : null),
      ...cells[number], moment(job.submitted)])))
    : make("p", { class: "hint" }, word("nothing_to_review"))));
  for (const [number, job] of jobs.entries()) {
    const progress = await ask(at(["jobs", job.id, "review", "progress"]), { signal: frame.signal }).catch(() => null);
    if (frame.signal.aborted) return;
    cells[number][0].textContent = progress ? counted(progress.left) : "–";
    cells[number][1].textContent = progress ? counted(progress.decided) : "–";
  }
}

async function reviewJob(frame, id) {
  const job = await ask(at(["jobs", id]), { signal: frame.signal });
  const types = await typesOf(job.labels);
  frame.title(`${word("nav_review")} · ${job.name || job.id}`);
  const standing = make("section", { class: "card standing", "aria-label": word("progress") });
  const desk = new Desk(frame, job, types, refresh);
  frame.root.append(make("p", { class: "crumbs" }, link(word("nav_review"), "#/review"), " / ", link(said(job.name || job.id), place(["jobs", id]))), standing, desk.element);
  listen(frame, [
    ["1 … 9", word("keys_choose")], ["0", word("keys_none")], ["Enter", word("keys_next")],
    ["U", word("keys_undo")], ["S", word("keys_skip")], ["A", word("keys_ask")], ["R", word("keys_reason")]], (event) => desk.pressed(event));
  desk.names = await ask(at(["judges"]), { signal: frame.signal }).then((found) => found.judges.map((one) => one.name), () => []);
  await Promise.all([desk.next(), refresh()]);
  every(EVERY_MS, frame, refresh);

  async function refresh() {
    const found = await ask(at(["jobs", id, "review", "progress"]), { signal: frame.signal });
    const share = found.conflicts ? found.decided / found.conflicts : 0;
    const forecast = (found.decisions_for || []).filter((one) => one.decisions > 0);
    standing.replaceChildren(
      make("div", { class: "bar" },
        make("span", { class: "figures" }, figure("left_title", found.left), figure("decided", found.decided), figure("skipped", found.skipped), found.claimed ? figure("claimed", found.claimed) : null),
        make("span", { class: "hint", id: "pace" }, pace(found))),
      make("progress", { max: "1", value: share, "aria-label": word("decided") }),
      forecast.length ? make("p", { class: "hint" }, forecast.map((one) => word("decisions_for", { share: percent(one.share), n: counted(one.decisions) })).join(" · ")) : "");
  }
}

const figure = (key, n) => make("span", {}, `${word(key)} `, make("b", {}, counted(n)));

function pace(found) {
  if (!found.per_minute) return "";
  return `${word("per_minute", { n: found.per_minute.toFixed(1) })} · ${word("left", { time: duration((60 * found.left) / found.per_minute) })}`;
}
