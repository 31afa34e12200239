"""Conflict detection on real predictions of three models agrees with what was counted without it."""

import json
import os
from pathlib import Path

import pytest

from medner.core.records import Decoded, Entity, TaggerOutput, in_order
from medner.graph.conflicts import PRECEDENCE, detect_conflicts, gather_candidates

MODELS = ("mcbert_crf", "roberta_crf", "roberta_large_crf")


@pytest.mark.data
def test_known_counts_of_agreed_and_disputed_entities() -> None:
    """1,845 of 2,539 sentences hold a dispute; 7,202 entities are agreed, 7,985 disputed; every kind occurs."""
    root = Path(os.environ.get("MEDNER_DATA") or Path(__file__).parents[3] / "shared" / "data")
    file = root / "cmeee_v1_three_models" / "predictions.jsonl"
    if not file.is_file():
        pytest.skip(f"no {file.name} under {root}; MEDNER_DATA names the folder of the research corpora")
    sentences = disputed_sentences = agreed = disputed = 0
    kinds = set()
    for line in file.read_text(encoding="utf-8").splitlines():
        said = json.loads(line)
        outputs = [
            TaggerOutput(name, "", Decoded(in_order(Entity(start, end + 1, label) for start, end, label in said[name])))
            for name in MODELS
        ]
        agreement = detect_conflicts(gather_candidates(outputs), MODELS)
        sentences += 1
        agreed += len(agreement.agreed)
        disputed += sum(len(conflict.candidates) for conflict in agreement.conflicts)
        disputed_sentences += bool(agreement.conflicts)
        kinds |= {conflict.kind for conflict in agreement.conflicts}
    assert (sentences, disputed_sentences, agreed, disputed) == (2_539, 1_845, 7_202, 7_985)
    assert kinds == set(PRECEDENCE)
