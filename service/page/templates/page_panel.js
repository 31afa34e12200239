
// ---- the panel: who said what about an entity, and how a sentence went ----

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function tag(code) {
  const type = TYPES.get(code);
  if (!type) return make("span", { class: "tag plain" }, code);
  return make("span", { class: `tag c${type.number}`, title: type.code }, label({ label: code }));
}

function folded(title, text) {
  return make("details", {}, make("summary", {}, title), make("pre", {}, text || word("empty")));
}

function pairs(rows) {
  const list = make("dl", {});
  for (const [name, value] of rows) list.append(make("dt", {}, name), make("dd", {}, value));
  return list;
}

function number(value) {
  return value === null || value === undefined ? "–" : value.toFixed(2);
}

function offsets(mark) {
  const shift = DATA.sentences[mark.sentence].offset;
  return { start: mark.start + shift, end: mark.end + shift, shift };
}

function renderPanel() {
  for (const element of all(".u.on")) element.classList.remove("on");
  const panel = byId("panel");
  const close = make("button", { type: "button", "aria-label": word("close"), title: "Esc" }, "✕");
  close.addEventListener("click", closePanel);
  const title = make("h2", { id: "panel-title", tabindex: "-1" });
  panel.replaceChildren(make("div", { class: "head" }, title, close));
  if (opened.mark !== undefined) renderMark(panel, title, DATA.marks[opened.mark], opened.mark);
  else if (opened.sentence !== undefined) renderSentence(panel, title, opened.sentence);
  else {
    title.textContent = word("flag_missing");
    panel.append(make("p", {}, word("missing_text")));
  }
  panel.scrollTop = 0;
}

function renderMark(panel, title, mark, own) {
  const sentence = DATA.sentences[mark.sentence];
  for (const piece of piecesOf(own)) piece.classList.add("on");
  title.textContent = mark.text;
  panel.append(make("p", { class: "line" }, tag(mark.label), make("span", { class: "tag plain" }, word(`state_${mark.state}`))));
  const place = offsets(mark);
  panel.append(pairs([
    [word("document"), DATA.documents[sentence.document]],
    [word("in_document"), `[${place.start}, ${place.end})`],
    [word("in_sentence"), `[${mark.start}, ${mark.end})`],
  ]), copyButton(mark));
  if (mark.state === "filtered") {
    const values = { score: number(mark.score), threshold: number(mark.threshold) };
    panel.append(make("p", { class: "warn" }, `${mark.filter}: ${word("below_threshold", values)}`));
  }
  if (mark.conflict === null) {
    panel.append(make("h3", {}, word("said_by")), saidBy(mark, sentence));
  } else {
    renderConflict(panel, DATA.conflicts[mark.conflict], sentence, mark);
  }
  renderNeighbours(panel, mark, own);
  renderTroubles(panel, sentence);
  renderAnswers(panel, sentence);
}

function copyButton(mark) {
  const place = offsets(mark);
  const record = { document: DATA.documents[DATA.sentences[mark.sentence].document], start: place.start, end: place.end,
    label: mark.label, text: mark.text };
  const said = make("span", { role: "status" });
  const button = make("button", { type: "button", id: "copy" }, word("copy"));
  button.addEventListener("click", async () => {
    said.textContent = word((await copied(JSON.stringify(record))) ? "copied" : "copy_failed");
  });
  return make("p", { class: "line" }, button, said);
}

async function copied(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (refused) {
      console.info("clipboard refused, trying the old way", refused);
    }
  }
  const area = make("textarea", {});
  area.value = text;
  byId("panel").append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

function saidBy(mark, sentence) {
  const head = make("tr", {}, ...sentence.taggers.map((name) => make("th", { class: "mid" }, name)), make("th", { class: "mid" }, word("score")));
  const row = make("tr", {}, ...sentence.taggers.map((name) => said(mark, name, sentence)), make("td", { class: "mid" }, number(mark.score)));
  return make("div", { class: "wide" }, make("table", {}, make("thead", {}, head), make("tbody", {}, row)));
}

function said(candidate, tagger, sentence) {
  const yes = candidate.taggers.includes(tagger);
  const silent = !yes && sentence.silent.includes(tagger);
  const [look, sign, key] = yes ? ["yes", "✓", "said"] : silent ? ["bad-word", word("silent"), "silent"] : ["no", "–", "not_said"];
  return make("td", { class: "mid" }, make("span", { class: look, "aria-label": word(key), role: "img", title: word(key) }, sign));
}

const same = (one, other) => one.start === other.start && one.end === other.end && one.label === other.label;

function renderConflict(panel, conflict, sentence, mark) {
  panel.append(make("h3", {}, `${word("who_said_what")} · ${word(`kind_${conflict.kind}`)}`));
  const verdict = conflict.verdict;
  const columns = [word("candidate"), ...sentence.taggers, word("score"), word("result")];
  const head = make("tr", {}, ...columns.map((name, place) => make("th", place ? { class: "mid" } : {}, name)));
  const body = make("tbody", {});
  const rows = [...conflict.candidates];
  if (verdict) for (const one of verdict.added) if (!rows.some((row) => same(row, one))) rows.push({ ...one, taggers: [], score: null });
  for (const row of rows) {
    const what = make("td", {}, make("span", { class: "quote" }, row.text), " ",
      make("span", { class: "place" }, tag(row.label), ` [${row.start}, ${row.end})`));
    const result = make("td", { class: "mid" }, resultOf(row, verdict));
    body.append(make("tr", same(row, mark) ? { class: "current" } : {}, what,
      ...sentence.taggers.map((name) => said(row, name, sentence)), make("td", { class: "mid" }, number(row.score)), result));
  }
  panel.append(make("div", { class: "wide" }, make("table", { id: "who" }, make("thead", {}, head), body)));
  if (conflict.context.length) {
    const context = conflict.context.map((one) => make("span", {}, one.text, " ", tag(one.label)));
    panel.append(make("p", { class: "hint line" }, `${word("context")}:`, ...context));
  }
  for (const [kind, left] of Object.entries(sentence.left_out)) {
    panel.append(make("p", { class: "hint" }, word(`left_out_${kind}`, { n: left })));
  }
  renderVerdict(panel, verdict);
}

function resultOf(row, verdict) {
  const holds = (list) => list.some((one) => same(one, row));
  if (!verdict) return "–";
  if (holds(verdict.added)) return make("span", { class: "yes" }, word("added"));
  if (holds(verdict.kept)) return make("span", { class: "yes" }, word("kept"));
  return make("span", { class: "no" }, word("dropped"));
}

function renderVerdict(panel, verdict) {
  panel.append(make("h3", {}, word("verdict")));
  if (!verdict) {
    panel.append(make("p", { class: "fail" }, word("no_verdict")));
    return;
  }
  if (verdict.fallback) {
    const reason = verdict.fallback_reason ? ` ${word("reason")}: ${verdict.fallback_reason}` : "";
    panel.append(make("p", { class: "warn" }, `${word("fallback_used")} (${word(`fallback_${verdict.fallback}`)}).${reason}`));
  }
  if (verdict.abstained) panel.append(make("p", { class: "warn" }, word("abstained")));
  if (verdict.overruled) {
    const { by, at, why } = verdict.overruled;
    panel.append(make("p", { class: "hint line" }, `${word("overruled")} ${by}, ${at}: ${why}`));
  }
  for (const [judge, version, reason] of verdict.tried) {
    panel.append(make("p", { class: "hint line" }, `${word("tried")} ${judge} ${version}: ${reason}`));
  }
  panel.append(pairs([
    [word("judge"), verdict.judge],
    [word("version"), verdict.judge_version],
    [word("mode"), verdict.mode],
    [word("seconds"), `${verdict.seconds.toFixed(2)} s`],
  ]));
  panel.append(folded(word("raw_answer"), verdict.answer), folded(word("prompt"), verdict.prompt));
  if (verdict.exemplars.length) {
    const lines = verdict.exemplars.map(([code, text, context]) => `${code}\t${text}\t${context}`);
    panel.append(folded(`${word("exemplars")} (${lines.length})`, lines.join("\n")));
  }
}

function renderNeighbours(panel, mark, own) {
  const near = DATA.marks.map((one, place) => [one, place]).filter(([one, place]) =>
    place !== own && one.sentence === mark.sentence && one.start < mark.end && mark.start < one.end);
  if (!near.length) return;
  panel.append(make("h3", {}, word("also_here")));
  for (const [one, place] of near) {
    const button = make("button", { type: "button" }, one.text);
    button.addEventListener("click", () => goTo(place));
    panel.append(make("p", { class: "line" }, button, tag(one.label), make("span", { class: "hint" }, word(`state_${one.state}`))));
  }
}

function renderTroubles(panel, sentence) {
  if (!sentence.failures.length) return;
  panel.append(make("h3", {}, word("failures")));
  for (const failure of sentence.failures) {
    panel.append(make("p", { class: "fail" }, `${failure.agent} (${failure.stage}, ${failure.kind}): ${failure.message}`));
    if (failure.raw) panel.append(folded(word("answers"), failure.raw));
  }
}

function renderAnswers(panel, sentence) {
  if (!sentence.outputs.length) return;
  panel.append(make("h3", {}, word("answers")));
  for (const output of sentence.outputs) {
    panel.append(folded(output.tagger, output.answer));
    for (const one of output.rejected) {
      const detail = one.detail ? ` (${one.detail})` : "";
      panel.append(make("p", { class: "warn" }, `${word("rejected")} · ${word(`rejected_${one.reason}`)}${detail}: ${one.raw}`));
    }
  }
}

function renderSentence(panel, title, place) {
  const sentence = DATA.sentences[place];
  title.textContent = word("sentence_state");
  panel.append(pairs([[word("document"), DATA.documents[sentence.document]], ["id", sentence.id]]));
  if (!sentence.outputs.length) panel.append(make("p", { class: "fail" }, word("nothing_tagged")));
  renderTroubles(panel, sentence);
  renderAnswers(panel, sentence);
}
