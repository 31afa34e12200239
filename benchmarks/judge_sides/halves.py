"""The texts in two halves: one to learn from, one to be judged."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass

from medner.core.labels import LabelSet
from medner.core.records import Document, Entity
from medner.evaluation.side_by_side import SideBySide
from medner.service.traces.differences import gold_of
from medner.service.train.judge_data import agreement_of, side_by_side_cases
from medner.store.corpora import read_documents
from medner.store.corpora.json_formats.jsonl import line_to_annotated
from medner.training.judges.examples import JudgedCase, is_held_back, part_of


@dataclass(frozen=True)
class Half:
    """The second half: sentences with their gold, the taggers' answers, what is agreed, and the conflicts."""

    gold: list[Document]
    answers: list[dict[str, tuple[Entity, ...]]]
    agreed: list[frozenset[Entity]]
    cases: list[list[JudgedCase]]


def learnt_half(found: SideBySide) -> list[int]:
    """The places of the sentences to learn from."""
    return [place for place, document in enumerate(found.gold) if part_of(document.text, 2) == 0]


def taken(found: SideBySide, places: Sequence[int]) -> SideBySide:
    """Some sentences of the file."""
    systems = {name: tuple(documents[place] for place in places) for name, documents in found.systems.items()}
    return SideBySide(tuple(found.gold[place] for place in places), systems)


def judged_half(found: SideBySide, labels: LabelSet) -> Half:
    """The sentences with their conflicts."""
    answers = [
        {name: documents[place].entities for name, documents in found.systems.items()}
        for place in range(len(found.gold))
    ]
    agreed = [frozenset(one.entity for one in agreement_of(said, labels).agreed) for said in answers]
    cases = [list(side_by_side_cases(taken(found, [place]), labels)) for place in range(len(found.gold))]
    return Half(list(found.gold), answers, agreed, cases)


def annotated(options: argparse.Namespace, labels: LabelSet) -> SideBySide:
    """What several taggers said about gold documents, sentence by sentence."""
    lines = options.predictions.read_text(encoding="utf-8").splitlines()
    found = [one for line in lines if line.strip() for one in line_to_annotated(line).annotations]
    gold = gold_of(found, list(read_documents(options.gold, labels=labels)))
    names = sorted({output.tagger for one in found for output in one.outputs})
    said = [{output.tagger: output.decoded.entities for output in one.outputs} for one in found]
    systems = {
        name: tuple(Document(g.id, g.text, each.get(name, ())) for g, each in zip(gold, said, strict=True))
        for name in names
    }
    return SideBySide(tuple(gold), systems)


def write_parts(options: argparse.Namespace) -> None:
    """The lines to learn from, and the texts that what a judge starts from must not have seen."""
    lines = [line for line in options.predictions.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    learnt = [line for line in lines if part_of(json.loads(line)["text"], 2) == 0]
    seen = {text for text in (json.loads(line)["text"] for line in learnt) if not is_held_back(text)}
    unseen = [text for text in (json.loads(line)["text"] for line in lines) if text not in seen]
    records = [
        json.dumps({"id": str(number), "text": text, "entities": []}, ensure_ascii=False)
        for number, text in enumerate(unseen, 1)
    ]
    for path, written in ((options.write_half, learnt), (options.write_unseen, records)):
        if path is not None:
            path.write_text("".join(f"{line}\n" for line in written), encoding="utf-8")
            print(f"{len(written):,} of {len(lines):,} texts written to {path}")
