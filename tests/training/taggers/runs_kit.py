"""Runs of a tagger on a tiny model."""

import pytest

from medner.core.labels import load_label_set
from medner.core.records import Document, Entity

pytest.importorskip("torch")
from medner.training.loop.batching import epochs_of
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFacts
from medner.training.loop.settings import TaggerTraining
from medner.training.taggers.learner import TaggerLearner

LABELS = load_label_set("cmeee-v2")
DOCUMENTS = [
    Document(str(number), f"患者{number}天前出现咳嗽、咽部充血。", (Entity(8, 10, "sym"), Entity(11, 15, "sym")))
    for number in range(10, 30)
]


def settings(**changes):
    return TaggerTraining(
        **{
            "rank": 4,
            "alpha": 8,
            "first_layer": 0,
            "learning_rate": 5e-3,
            "batch_tokens": 600,
            "epochs": 6.0,
            **changes,
        }
    )


def tagger_run(learner, folder, examples, chosen, *, facts=RunFacts(), last=()):  # noqa: B008  frozen
    return Run(learner, epochs_of(examples, chosen), folder, chosen, facts=facts, last=last)


def run_of(base, folder, examples, chosen, *, start=None, facts=RunFacts()):  # noqa: B008  frozen
    learner = TaggerLearner(base, examples, chosen, start=start)
    return tagger_run(learner, folder, examples, chosen, facts=facts)
