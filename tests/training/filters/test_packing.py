"""A sentence and its candidates in one row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")
from medner.core.labels import load_label_set
from medner.core.records import Entity
from medner.training.filters.negatives import LabelledCandidate
from medner.training.filters.packing import PackedRow, packed_batch, packed_rows
from medner.training.loop.batching import batches_by_tokens

LABELS = load_label_set("cmeee-v2")


def characters(text):
    return [ord(char) for char in text]


def test_a_row_holds_a_sentence_once_and_each_candidate_in_its_context():
    """Marked, with up to four characters around it and its type's name; the same words elsewhere read differently."""
    text = "头痛缓解后又头痛。"
    judged = [LabelledCandidate(text, Entity(0, 2, "sym"), True), LabelledCandidate(text, Entity(6, 8, "dis"), False)]
    (row,) = packed_rows(characters, judged, LABELS)
    assert "".join(map(chr, row.sentence)).endswith(text + "\n")
    assert ["".join(map(chr, one)) for one in row.candidates] == [
        "[头痛]缓解后又|临床表现：",
        "缓解后又[头痛]。|疾病：",
    ]
    assert row.targets == (1.0, 0.0)


def test_a_sentence_with_many_candidates_takes_several_rows():
    """Rows are at most as long as they may be, and no candidate is lost."""
    judged = [LabelledCandidate("头痛" * 10, Entity(at, at + 2, "sym"), True) for at in range(18)]
    rows = packed_rows(characters, judged, LABELS, longest=100)
    assert len(rows) > 1
    assert all(len(row) <= 100 for row in rows)
    (whole,) = packed_rows(characters, judged, LABELS, longest=10_000)
    assert tuple(one for row in rows for one in row.candidates) == whole.candidates


def test_a_candidate_sees_the_sentence_and_itself():
    """Never another candidate, never what comes later; its positions go on from the sentence's end."""
    batch = packed_batch([PackedRow((1, 2), ((3, 4), (5,)), (1.0, 0.0)), PackedRow((6,), ((7,),), (1.0,))])
    assert batch.positions_BT.tolist() == [[0, 1, 2, 3, 2], [0, 1, 0, 0, 0]]
    assert batch.last_N2.tolist() == [[0, 3], [0, 4], [1, 1]]
    assert batch.targets_N.tolist() == [1.0, 0.0, 1.0]
    seen = [[key for key in range(5) if row[key]] for row in batch.seen_BTT()[0].tolist()]
    assert seen == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 4]]
    assert all(any(row) for row in batch.seen_BTT()[1].tolist())


lengths = st.lists(st.integers(1, 60), min_size=1, max_size=30)


@given(lengths, st.integers(20, 200), st.one_of(st.none(), st.integers(0, 3)))
def test_batches_keep_the_budget(numbers, budget, seed):
    """Each row stands in one batch; only a row that is too long by itself is over the budget."""
    rows = [PackedRow((number,), ((0,) * length,), (1.0,)) for number, length in enumerate(numbers)]
    batches = batches_by_tokens(rows, budget=budget, seed=seed)
    assert sorted(row.sentence for batch in batches for row in batch) == sorted(row.sentence for row in rows)
    assert all(len(batch) == 1 or max(map(len, batch)) * len(batch) <= budget for batch in batches)
    assert batches == batches_by_tokens(rows, budget=budget, seed=seed)
