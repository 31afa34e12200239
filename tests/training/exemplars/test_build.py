"""A folder of exemplars from end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medner.agents.exemplars.embedding import Embedder
from medner.agents.exemplars.folder import FILES, ExemplarFolder
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.training.exemplars.build import Clustering, Embedded, ExemplarBuild, ExemplarCorpus
from medner.training.exemplars.mentions import Selection
from tests.exemplar_corpus import DISEASES, RECORDS, SYMPTOMS, write_corpus
from tests.letter_embedder import WIDTH, LetterEmbedder

LABELS = load_label_set("cmeee-v2")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def build(tmp_path: Path, name: str, embedder: Embedder | None = None, **settings: int) -> Path:
    corpus = ExemplarCorpus((write_corpus(tmp_path / "train.jsonl"),))
    selection = Selection(LABELS, seed=settings.pop("seed", 7))
    made = ExemplarBuild(corpus, selection, Clustering(**settings))
    await made.run(embedder or LetterEmbedder(), tmp_path / name, lambda now: None)
    return tmp_path / name


async def test_a_folder_holds_five_a_type_or_all_there_are(tmp_path: Path) -> None:
    """Ten diseases give five exemplars, three symptoms three, one drug one, and types without entities none."""
    folder = ExemplarFolder.open(await build(tmp_path, "out"), labels=LABELS)
    card = folder.card
    assert {code: count for code, count in card.exemplars.items() if count} == {"dis": 5, "sym": 3, "dru": 1}
    assert {code: count for code, count in card.embedded.items() if count} == {"dis": 10, "sym": 3, "dru": 1}
    clustered = folder.clustered()
    assert len({(one.label, one.text) for one in clustered}) == len(clustered) == 9
    assert {one.text for one in clustered if one.label == "sym"} == set(SYMPTOMS)
    assert {one.text for one in clustered if one.label == "dis"} < set(DISEASES)
    assert {one.context for one in clustered} <= {record["text"] for record in RECORDS}
    assert set(card.files) == set(FILES)
    assert card.data == (f"train.jsonl {card.data[0].split()[1]}",)


async def test_the_index_holds_each_entitys_vector_in_its_row(tmp_path: Path) -> None:
    """Row n of the index is the vector of line n, of length 1."""
    from medner.core.records import Span

    folder = ExemplarFolder.open(await build(tmp_path, "out"))
    index, rows = folder.index(), folder.entities()
    assert (index.ntotal, index.d) == (len(rows), WIDTH) == (14, WIDTH)
    for number, row in enumerate(rows):
        expected = await LetterEmbedder().embed(row.context, [Span(row.start, row.start + len(row.text))])
        assert np.allclose(index.reconstruct(number), expected[0], atol=1e-6)


async def test_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    """Same files, model and seed: same folder. Another seed: another card at least."""
    first, second = await build(tmp_path, "one"), await build(tmp_path, "two")
    assert contents(first) == contents(second)
    assert contents(await build(tmp_path, "three", seed=8)) != contents(first)


async def test_two_builds_with_a_language_model_are_the_same_bytes(tmp_path: Path) -> None:
    """The local engine's vectors do not depend on which sentences happened to share a pass."""
    pytest.importorskip("torch")
    from medner.agents.engines.local.engine import LocalEngine
    from medner.agents.exemplars.embedding import EncoderEmbedder, origin_of
    from tests.tiny_model import save_tiny_model

    (tmp_path / "tiny").mkdir()
    base = save_tiny_model(tmp_path / "tiny")
    found = []
    for name, rows in (("one", 8), ("two", 8), ("three", 3)):
        engine = LocalEngine.load(base, max_rows=rows)
        embedder = EncoderEmbedder(engine, origin_of("llm", "tiny", base))
        found.append(contents(await build(tmp_path, name, embedder)))
        await engine.close()
    assert found[0] == found[1]
    # Other passes may change last bits of a vector, but not what is chosen.
    assert found[0]["entities.jsonl"] == found[2]["entities.jsonl"]


async def test_a_sentence_is_read_once_for_all_its_entities(tmp_path: Path) -> None:
    """However many entities it holds, and however often it stands there; progress ends at all entities."""
    embedder, told = LetterEmbedder(), list[Embedded]()
    corpus = ExemplarCorpus((write_corpus(tmp_path / "train.jsonl", [*RECORDS, RECORDS[0]]),))
    made = ExemplarBuild(corpus, Selection(LABELS), Clustering())
    await made.run(embedder, tmp_path / "out", told.append)
    assert len(embedder.asked) == len(set(embedder.asked))
    assert [(one.of, one.done <= one.of) for one in told] == [(14, True)] * len(told)
    assert told[-1].done == 14


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    """The folder appears whole or not at all, and one that is there is never written into."""

    class Breaks(LetterEmbedder):
        async def embed(self, text, spans):
            raise UserError("too long")

    with pytest.raises(UserError, match="too long"):
        await build(tmp_path, "out", Breaks())
    assert names(tmp_path) == ["train.jsonl"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("")
    with pytest.raises(UserError, match="is there already"):
        await build(tmp_path, "out")
