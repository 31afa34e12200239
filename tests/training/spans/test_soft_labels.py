"""Soft labels: written, read, mixed with an annotation, and learnt from."""

import json

import pytest

from medner.core.errors import BadInputError, UserError
from medner.core.labels import load_label_set

torch = pytest.importorskip("torch")
from medner.agents.taggers.spans.alignment import Aligned
from medner.training.spans.build import Fold
from medner.training.spans.examples import SpanExample, collated
from medner.training.spans.learner import span_loss
from medner.training.spans.soft_labels import SoftCells, mixed, read_soft_labels, write_soft_labels

LABELS = load_label_set("cmeee-v2")
SYM, BOD = LABELS.codes.index("sym"), LABELS.codes.index("bod")
ALIGNED = Aligned((1, 2, 3, 4), (0, 1, 2, 3), (0, 0, 0, 0))


def test_a_file_gives_back_what_was_written(tmp_path):
    """Cells and probabilities come back, sentences without any included."""
    soft = SoftCells(((0, 1, SYM), (0, 0, BOD)), (0.9, 0.25))
    path = tmp_path / "soft.jsonl"
    assert write_soft_labels(path, [("咽部充血", soft), ("无。", SoftCells((), ()))], LABELS) == 2
    assert read_soft_labels([path], LABELS) == {"咽部充血": soft, "无。": SoftCells((), ())}


@pytest.mark.parametrize(
    ("entity", "reason"),
    [
        ({"start": 0, "end": 9, "label": "sym", "probability": 0.5}, "does not fit its text"),
        ({"start": 0, "end": 2, "label": "sym", "probability": 1.5}, "does not fit its text"),
        ({"start": 0, "end": 2, "label": "organ", "probability": 0.5}, "no type 'organ'"),
        ({"start": 0, "end": 2, "label": "sym"}, "probability"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, entity, reason):
    """File, line and reason, and which command writes such files."""
    path = tmp_path / "soft.jsonl"
    good = json.dumps({"text": "咳嗽", "entities": []})
    path.write_text(good + "\n" + json.dumps({"text": "咳嗽", "entities": [entity]}) + "\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=reason) as caught:
        read_soft_labels([path], LABELS)
    assert "soft.jsonl:2:" in str(caught.value)
    assert "medner train soft-labels" in str(caught.value)


def test_annotation_and_teacher_are_mixed():
    """An annotated cell has the annotation's weight at least; where nothing is known the teacher alone counts."""
    scores = torch.full((len(LABELS.codes), 4, 4), -20.0)
    scores[SYM, 0, 3] = scores[SYM, 1, 2] = scores[BOD, 0, 1] = 0.0  # a probability of a half
    example = SpanExample(ALIGNED, gold=((0, 3, SYM),), unknown=((0, 3, BOD),))
    soft = mixed(example, scores, weight=0.5, least=0.01)
    assert dict(zip(soft.cells, soft.probabilities, strict=True)) == {
        (0, 3, SYM): 0.75,
        (1, 2, SYM): 0.25,
        (0, 1, BOD): 0.5,
    }


def test_soft_labels_replace_the_annotation():
    """Of an example with soft labels every cell counts, with its probability."""
    example = SpanExample(ALIGNED, gold=((0, 3, SYM),), unknown=((0, 3, BOD),))
    batch = collated([SoftCells(((0, 1, BOD),), (0.25,)).of(example)], len(LABELS.codes))
    assert batch.targets.sum() == 0.25
    assert batch.targets[0, BOD, 0, 1] == 0.25
    assert batch.counted[0, BOD, 0, 3]
    assert not batch.counted[0, BOD, 3, 0]


def test_the_loss_pulls_a_score_to_its_probability():
    """A lone cell ends at half the logit of its probability, where the two sums of the loss balance."""
    target = torch.tensor([[[[0.8]]]])
    score = torch.zeros(1, 1, 1, 1, requires_grad=True)
    counted = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    optimiser = torch.optim.SGD([score], lr=1.0)
    for _ in range(300):
        optimiser.zero_grad()
        span_loss(score, target, counted).backward()
        optimiser.step()
    assert abs(score.item() - torch.logit(torch.tensor(0.8)).item() / 2) < 0.05


def test_folds_part_the_texts():
    """Each text belongs to exactly one of three folds, and each has its share."""
    texts = [f"患者{number}天前咳嗽。" for number in range(300)]
    owners = [[number for number in range(3) if Fold(number, 3).holds(text)] for text in texts]
    assert all(len(one) == 1 for one in owners)
    assert {one[0] for one in owners} == {0, 1, 2}
    assert Fold.parse("1/3") == Fold(1, 3)
    for wrong in ("3/3", "1", "a/b", "-1/3", "1/0"):
        with pytest.raises(UserError, match="is no fold"):
            Fold.parse(wrong)
