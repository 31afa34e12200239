"""A folder of exemplars, built once."""

from pathlib import Path

import pytest

from medner.core.labels import load_label_set
from medner.training.exemplars.build import Clustering, ExemplarBuild, ExemplarCorpus
from medner.training.exemplars.mentions import Selection
from tests.exemplar_corpus import write_corpus
from tests.letter_embedder import LetterEmbedder


@pytest.fixture
async def built(tmp_path: Path) -> Path:
    """A folder made with the letter embedder from the corpus of these tests."""
    corpus = ExemplarCorpus((write_corpus(tmp_path / "train.jsonl"),))
    made = ExemplarBuild(corpus, Selection(load_label_set("cmeee-v2")), Clustering())
    await made.run(LetterEmbedder(), tmp_path / "built", lambda now: None)
    return tmp_path / "built"
