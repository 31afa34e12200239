"""What medner relies on in a tagger, a filter, a judge or a format of another package.

Each function raises AssertionError with what is broken, and returns nothing else. Call them in your own tests::

    from medner.testing.contracts import check_tagger

    def test_my_tagger():
        check_tagger("dictionary", argument="words.txt")
"""

from __future__ import annotations

import asyncio
import math
import os
import tempfile
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medner.agents.engines.engine import Engine
from medner.agents.filters.filter import Filter
from medner.agents.judges.judge import Case, Judge
from medner.agents.taggers.tagger import Tagger
from medner.core.errors import ExternalError, ModelOutputError
from medner.core.labels import LabelSet, load_label_set
from medner.core.records import Candidate, Conflict, ConflictKind, Document, Entity, Sentence, Span, Verdict
from medner.service.config.plugins import NoEngine, filter_of_plugin, judge_of_plugin, tagger_of_plugin

if TYPE_CHECKING:
    from medner.store.corpora import Writing

__all__ = ["TEXTS", "check_filter", "check_format", "check_judge", "check_tagger"]
T = TypeVar("T")
#: Sentences that break what was not thought of: emoji, rare characters, markup, a line break, nothing to find.
TEXTS = (
    "患者反复胸痛3天，查心电图正常。",
    "右肺癌术后。",
    "😀患者咳嗽，𠮷林来诊[未愈]<b>。",
    '既往："高血压"\n服药规律。',
    "好。",
    "A" * 300,
)


def check_tagger(
    name: str, *, argument: str = "", labels: str | os.PathLike[str] = "cmeee-v2", engine: Engine | None = None
) -> None:
    """A tagger's entities lie in the sentence, have labels of the label set, and are the same at every call.

    It may raise ExternalError and ModelOutputError, nothing else; many sentences may be under way at once.
    """
    known = load_label_set(os.fspath(labels))
    tagger = tagger_of_plugin(_kind(name, argument), "under-test", known, engine or NoEngine())
    sentences = _sentences()
    first = _run(_tagged(tagger, sentences))
    for sentence, entities in zip(sentences, first, strict=True):
        _check_entities(entities or (), sentence, known, f"tagger {name}")
    again = [_run(_tagged(tagger, [sentence]))[0] for sentence in sentences]
    assert again == first, f"tagger {name}: gives another answer alone than beside other sentences, or the next time"


def check_filter(
    name: str, *, argument: str = "", labels: str | os.PathLike[str] = "cmeee-v2", engine: Engine | None = None
) -> None:
    """A filter gives a probability for each candidate, in their order, whatever stands beside it."""
    known = load_label_set(os.fspath(labels))
    checked: Filter = filter_of_plugin(_kind(name, argument), known, engine or NoEngine())
    assert 0.0 <= checked.threshold <= 1.0, f"filter {name}: its threshold {checked.threshold} is no probability"
    for sentence in _sentences():
        entities = [
            Entity(start, min(start + 2, len(sentence.text)), code)
            for start, code in zip(range(len(sentence.text)), known.codes, strict=False)
        ]
        scores = _run(_scored(checked, sentence, entities))
        if scores is None:
            continue
        assert len(scores) == len(entities), f"filter {name}: {len(scores)} scores for {len(entities)} candidates"
        wrong = [score for score in scores if math.isnan(score) or not 0.0 <= score <= 1.0]
        assert not wrong, f"filter {name}: {wrong[0]} is no probability"
        turned = _run(_scored(checked, sentence, entities[::-1]))
        assert turned == scores[::-1], f"filter {name}: a score depends on the order of the candidates"


def check_judge(
    name: str, *, argument: str = "", labels: str | os.PathLike[str] = "cmeee-v2", engine: Engine | None = None
) -> None:
    """A judge keeps and drops each candidate of a conflict once, and invents none outside the sentence."""
    known = load_label_set(os.fspath(labels))
    judge: Judge = judge_of_plugin(_kind(name, argument), known, engine or NoEngine())
    assert judge.name, f"judge {name}: needs a name"
    assert judge.version, f"judge {name}: needs a version"
    for case in _cases(known):
        assert isinstance(judge.prompt(case), str), f"judge {name}: prompt() must give a text, empty for a rule"
        found = _run(_judged(judge, case))
        if found is None:
            continue
        there = {candidate.entity for candidate in case.conflict.candidates}
        decided = [*found.kept, *found.dropped]
        assert set(decided) == there, f"judge {name}: must keep or drop every candidate, and no other entity"
        assert len(decided) == len(there), f"judge {name}: decides a candidate twice"
        assert found.conflict_id == case.conflict.id, f"judge {name}: its verdict names another conflict"
        _check_entities(found.added, case.sentence, known, f"judge {name}")


def check_format(name: str, *, labels: str | os.PathLike[str] = "cmeee-v2") -> None:
    """Documents that are written come back the same, or what is lost is counted."""
    from medner.store.corpora import read_documents, write_documents
    from medner.store.corpora.registry import format_named

    known, found = load_label_set(os.fspath(labels)), format_named(name)
    if found.write_stream is None and found.write_folder is None:
        return
    documents = [Document(f"d{number}", text, (Entity(0, 1, known.codes[0]),)) for number, text in enumerate(TEXTS[:3])]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "corpus"
        writing: Writing = write_documents(documents, target, format=name, labels=known)
        assert (writing.documents, writing.entities) == (3, 3), f"format {name}: not all documents were written"
        if writing.losses:
            return
        back = list(read_documents(target, format=name, labels=known))
    assert back == documents, f"format {name}: documents come back otherwise than they were, and no loss is counted"


async def _tagged(tagger: Tagger, sentences: Sequence[Sentence]) -> list[tuple[Entity, ...] | None]:
    async def one(sentence: Sentence) -> tuple[Entity, ...] | None:
        try:
            output = await tagger.tag(sentence)
        except (ExternalError, ModelOutputError):
            return None
        assert output.tagger == tagger.name, f"its output names tagger {output.tagger!r}, not {tagger.name!r}"
        return tuple(output.decoded.entities)

    return list(await asyncio.gather(*map(one, sentences)))


async def _scored(checked: Filter, sentence: Sentence, entities: Sequence[Entity]) -> list[float] | None:
    try:
        return list(await checked.score(sentence, entities))
    except (ExternalError, ModelOutputError):
        return None


async def _judged(judge: Judge, case: Case) -> Verdict | None:
    try:
        return await judge.judge(case)
    except (ExternalError, ModelOutputError):
        return None


def _check_entities(entities: Sequence[Entity], sentence: Sentence, labels: LabelSet, who: str) -> None:
    for entity in entities:
        assert entity.end <= len(sentence.text), f"{who}: [{entity.start}, {entity.end}) lies outside {sentence.text!r}"
        assert entity.label in labels, f"{who}: label {entity.label!r} is not in label set {labels.name}"


def _sentences() -> list[Sentence]:
    return [Sentence(f"contract#{number}", text, 0, "contract") for number, text in enumerate(TEXTS)]


def _cases(labels: LabelSet) -> list[Case]:
    text = TEXTS[0]
    sentence = Sentence("contract#0", text, 0, "contract")
    one, other = labels.codes[0], labels.codes[-1]
    pairs = [
        (Entity(4, 6, one), Entity(4, 6, other), ConflictKind.SAME_SPAN_OTHER_TYPE),
        (Entity(2, 6, one), Entity(4, 6, one), ConflictKind.OVERLAP_SAME_TYPE),
    ]
    cases = []
    for number, (left, right, kind) in enumerate(pairs):
        region = Span(min(left.start, right.start), max(left.end, right.end))
        candidates = (Candidate(left, ("a",), 0.6), Candidate(right, ("b",), 0.4))
        cases.append(Case(sentence, Conflict(f"c{number}", region, kind, candidates), labels, ("a", "b")))
    return cases


def _kind(name: str, argument: str) -> str:
    return f"plugin:{name}" + (f":{argument}" if argument else "")


def _run(work: Coroutine[object, object, T]) -> T:
    return asyncio.run(work)
