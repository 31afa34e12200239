"""A folder of hand-written gold and prediction files with a manifest that has every role."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Decision,
    Decoded,
    DecodingCost,
    Document,
    Entity,
    Sentence,
    TaggerOutput,
)
from medner.evaluation.measures.significance import Resampling
from medner.evaluation.paper.manifest import load_manifest
from medner.evaluation.paper.systems import Dataset, measure
from medner.store.corpora import write_documents
from medner.store.corpora.json_formats.jsonl import annotated_to_line

QUICK = Resampling(resamples=100)

GOLD = [
    Document("1", "右肺下叶肺炎伴胸痛。", (Entity(0, 6, "dis"), Entity(0, 4, "bod"), Entity(7, 9, "sym"))),
    Document("2", "予青霉素静滴。", (Entity(1, 4, "dru"),)),
    Document("3", "查血常规,无发热。", (Entity(1, 4, "ite"), Entity(6, 8, "sym"))),
    Document("4", "心电图示窦性心动过速。", (Entity(0, 3, "pro"), Entity(4, 10, "dis"))),
]
_WRONG = {
    "1": (Entity(1, 6, "dis"), Entity(0, 4, "bod"), Entity(7, 9, "dis")),
    "2": (Entity(1, 4, "dru"), Entity(4, 6, "pro")),
    "3": (Entity(1, 4, "pro"),),
    "4": (Entity(0, 3, "pro"), Entity(6, 10, "dis")),
}

MANIFEST = """
labels = "cmeee-v2"
gold = "gold.jsonl"
commit = "abc1234"
configuration = "two taggers & a judge"

[[tagger]]
name = "symbol"
strategy = "symbol"
base = "THUDM/GLM-4-9B-Chat"
file = "symbol.jsonl"
memory_gb = 1.5

[[tagger]]
name = "json"
strategy = "json"
base = "glm-4-9b-chat"
file = "half.jsonl"
seconds = 2.5

[[tagger]]
name = "small"
strategy = "span"
base = "small-0.5b"
file = "half.jsonl"

[[tagger]]
name = "untuned"
strategy = "symbol"
base = "small-0.5b"
file = "empty.jsonl"
zero_shot = true

[[filter]]
kind = "llm-cls"
of = "symbol"
file = "filtered.jsonl"

[[filter]]
kind = "llm-cls"
of = "small"
file = "half.jsonl"

[[ensemble]]
kind = "hard-vote"

[[ensemble]]
kind = "oracle"

[[judge]]
name = "judge"
base = "Qwen2.5-7B-Instruct"
file = "half.jsonl"

[[judge]]
name = "judge, thinking"
base = "Qwen2.5-7B-Instruct"
prompt = "thinking"
file = "filtered.jsonl"
"""


def wrong_in(ids: Iterable[str]) -> list[Document]:
    """The gold documents, those of ``ids`` with wrong entities."""
    wanted = set(ids)
    return [Document(one.id, one.text, _WRONG[one.id] if one.id in wanted else one.entities) for one in GOLD]


def annotated(documents: Iterable[Document], *taggers: str, seconds: float = 0.5) -> str:
    """A file of `medner annotate`: every tagger but the first gave no entity."""
    lines = []
    for document in documents:
        outputs = tuple(
            TaggerOutput(
                name,
                "",
                Decoded(document.entities if at == 0 else ()),
                DecodingCost(passes=3, answer_tokens=20, seconds=seconds),
            )
            for at, name in enumerate(taggers)
        )
        entities = tuple(AnnotatedEntity(entity, Decision.AGREED, taggers) for entity in document.entities)
        annotation = Annotation(Sentence(document.id, document.text), entities, outputs)
        lines.append(annotated_to_line(AnnotatedDocument(Document(document.id, document.text), (annotation,))))
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files, and cmeee-v2.toml."""
    files = {"gold": GOLD, "filtered": wrong_in("12"), "half": wrong_in("34"), "empty": wrong_in("")[:3]}
    files["empty"] = [Document(one.id, one.text) for one in files["empty"]]
    for name, documents in files.items():
        write_documents(documents, tmp_path / f"{name}.jsonl", format="jsonl")
    (tmp_path / "symbol.jsonl").write_text(annotated(wrong_in("123"), "symbol"), encoding="utf-8")
    (tmp_path / "cmeee-v2.toml").write_text(MANIFEST, encoding="utf-8")
    return tmp_path


@pytest.fixture
def dataset(folder: Path) -> Dataset:
    """The manifest, measured."""
    path = folder / "cmeee-v2.toml"
    return measure(load_manifest(path), path, QUICK)
