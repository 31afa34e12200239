"""The nearest entities to a region: alike, of the types asked for, never from the sentence itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.agents.exemplars import ClusterExemplars, ClustersThenNearest, EntityIndex, NearestExemplars
from medner.agents.exemplars.folder import ExemplarFolder
from medner.core.records import Sentence, Span
from tests.exemplar_corpus import DISEASES
from tests.letter_embedder import LetterEmbedder


@pytest.fixture
def folder(built: Path) -> ExemplarFolder:
    return ExemplarFolder.open(built)


@pytest.fixture
def nearest(folder: ExemplarFolder) -> NearestExemplars:
    return NearestExemplars.read(folder, LetterEmbedder(), each=2)


def sentence(text: str, region: str) -> tuple[Sentence, Span]:
    start = text.index(region)
    return Sentence("s", text), Span(start, start + len(region))


async def test_the_nearest_come_first(nearest: NearestExemplars) -> None:
    """Words with the same characters are alike; each has its distance, and types come in the order asked for."""
    found = await nearest.exemplars(*sentence("有胃溃疡史。", "胃溃疡"), ["sym", "dis"])
    assert [one.label for one in found] == ["sym", "sym", "dis", "dis"]
    assert [one.text for one in found[2:]] == ["胃溃疡", "十二指肠溃疡"]
    assert found[2].distance == pytest.approx(0, abs=1e-5)
    assert all(one.text in one.context for one in found)
    distances = [one.distance for one in found[2:] if one.distance is not None]
    assert len(distances) == 2
    assert distances[0] < distances[1]


@pytest.mark.parametrize(
    "text",
    [
        "既往患胃溃疡多年，规律复诊。",
        " 既往患胃溃疡多年，规律复诊。",
        "既往患胃溃疡多年，",
        "主诉如前。既往患胃溃疡多年，规律复诊。",
    ],
)
async def test_a_sentence_never_sees_itself(nearest: NearestExemplars, text: str) -> None:
    """An entity of the same sentence is left out, however that was cut, and the next ones take its place."""
    found = await nearest.exemplars(*sentence(text, "胃溃疡"), ["dis"])
    assert "胃溃疡" not in [one.text for one in found]
    assert found[0].text == "十二指肠溃疡"
    assert len(found) == 2


async def test_a_sentence_of_all_entities_gets_none(folder: ExemplarFolder) -> None:
    """When the whole index is of the sentence itself, nothing is left, and the search ends."""
    text = "".join({row.context for row in folder.entities()})
    source = NearestExemplars.read(folder, LetterEmbedder(), each=3)
    assert await source.exemplars(*sentence(text, "肺炎"), ["dis", "sym", "bod"]) == ()


async def test_a_small_or_empty_type_gives_what_there_is(folder: ExemplarFolder) -> None:
    """Three symptoms, one drug, no body part."""
    source = NearestExemplars.read(folder, LetterEmbedder(), each=5)
    found = await source.exemplars(*sentence("嗜睡。", "嗜睡"), ["sym", "dru", "bod"])
    assert [one.label for one in found] == ["sym"] * 3 + ["dru"]


async def test_every_entity_is_found_by_its_own_words(folder: ExemplarFolder) -> None:
    """Searching the whole type with an entity's own vector gives that entity first."""
    index = EntityIndex.read(folder)
    for word in DISEASES:
        vector = (await LetterEmbedder().embed(word, (Span(0, len(word)),)))[0]
        found = index.nearest(vector, "dis", len(DISEASES))
        assert found[0].text == word
        assert len({one.text for one in found}) == len(DISEASES)


async def test_clusters_first_then_the_nearest_others(folder: ExemplarFolder, nearest: NearestExemplars) -> None:
    """For each type five of the clusters, then two that are not among them."""
    clusters = ClusterExemplars.read(folder)
    source = ClustersThenNearest(clusters, nearest)
    here = sentence("有胃溃疡史。", "胃溃疡")
    first = await clusters.exemplars(*here, ["dis"])
    found = await source.exemplars(*here, ["dis", "sym"])
    assert found[:5] == first
    assert [one.label for one in found] == ["dis"] * 7 + ["sym"] * 3
    assert len({(one.label, one.text) for one in found}) == len(found)


async def test_the_clusters_exemplars_are_the_same_everywhere(folder: ExemplarFolder) -> None:
    """They come with their distance from the centre, and `each` takes the first."""
    few = ClusterExemplars.read(folder, each=2)
    found = await few.exemplars(*sentence("有胃溃疡史。", "胃溃疡"), ["dis"])
    assert found == await few.exemplars(*sentence("嗜睡。", "嗜睡"), ["dis"])
    assert found == tuple(row.exemplar() for row in folder.clustered() if row.label == "dis")[:2]
    assert all(one.distance is not None for one in found)
