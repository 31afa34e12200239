"""Trains a filter of each kind: data in, a folder with weights out; None where somebody stopped it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from medner.agents.engines.local.chat import ChatTokens
from medner.core.errors import UserError
from medner.core.files.names import CARD
from medner.core.labels import LabelSet
from medner.training.filters.calibration import FilterCalibration, calibrated
from medner.training.filters.data import FilterData
from medner.training.filters.negatives import LabelledCandidate
from medner.training.loop.loop import Run, TrainingStep, refuse_another
from medner.training.loop.run import RunFacts
from medner.training.loop.settings import TaggerTraining
from medner.training.taggers.data import named_start

#: Written when a run has got to its end: it holds the threshold that fits the weights.


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """What to train on what.

    ``base`` is a model's folder (None: a new encoder), ``run`` the run folder, ``start`` an adapter to go on from;
    ``force`` begins although there seems to be too little memory. ``two_way``: :class:`ClassifierLearner`.
    """

    base: Path | None
    run: Path
    labels: LabelSet
    settings: TaggerTraining
    start: Path | None = None
    force: bool = False
    two_way: bool = False

    def needed_base(self) -> Path:
        """The model's folder; UserError when there is none."""
        if self.base is None:
            raise UserError("--base new makes an encoder, for --kind bert-cls; the other kinds need a base model")
        return self.base


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained filter: its folder, how it did on what was held back, the samples it saw, seconds."""

    folder: Path
    calibration: FilterCalibration
    samples: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TrainingCallbacks:
    """Who looks at a run while it goes on: is told of each step, may ask to stop."""

    on_step: Callable[[TrainingStep], None] = lambda _: None
    stop: Callable[[], bool] = lambda: False


def train_classifier(order: TrainingOrder, data: FilterData, watch: TrainingCallbacks) -> Trained | None:
    """LLM-CLS."""
    from medner.agents.engines.local.vocabulary import Vocabulary  # noqa: PLC0415  needs torch
    from medner.training.filters.classifier import ClassifierLearner  # noqa: PLC0415  needs torch
    from medner.training.filters.packing import packed_rows  # noqa: PLC0415  needs torch
    from medner.training.loop.batching import batches_by_tokens  # noqa: PLC0415  needs torch
    from medner.training.model.lora import load_tokenizer  # noqa: PLC0415  needs torch
    from medner.training.taggers.memory import check_memory_without_answers  # noqa: PLC0415  needs torch

    settings = order.settings
    base = order.needed_base()
    tokens = Vocabulary(load_tokenizer(base), frozenset()).encode
    rows = packed_rows(tokens, data.train, order.labels)
    if not order.force:
        check_memory_without_answers(
            base, settings, batches_by_tokens(rows, budget=settings.batch_tokens, seed=settings.seed)
        )
    told = facts("llm-cls", data, order)
    refuse_another(order.run, settings, told)
    classifier = ClassifierLearner(base, settings, start=order.start, two_way=order.two_way)
    run = Run(
        classifier,
        lambda epoch: batches_by_tokens(rows, budget=settings.batch_tokens, seed=settings.seed + epoch),
        order.run,
        settings,
        facts=told,
        last=[CARD],
    )
    if not run.train(watch.on_step, stop=watch.stop):
        return None
    # Rows come in the order of their sentences, so the truth is read off them too.
    held = packed_rows(tokens, data.held.candidates, order.labels)
    right = [target > 0.5 for row in held for target in row.targets]
    calibration = calibrated(classifier.score(held), right, gold=data.held.gold)
    return Trained(run.output, calibration, run.samples, run.seconds)


def train_causal(order: TrainingOrder, data: FilterData, watch: TrainingCallbacks) -> Trained | None:
    """LLM-CAUSAL."""
    from medner.training.filters.causal import answers, causal_examples, causal_scores  # noqa: PLC0415  needs torch
    from medner.training.model.lora import load_tokenizer  # noqa: PLC0415  needs torch
    from medner.training.taggers.learner import TaggerLearner, tagger_run  # noqa: PLC0415  needs torch

    base = order.needed_base()
    chat = ChatTokens(load_tokenizer(base))
    examples = causal_examples(chat, data.train, order.labels)
    told = facts("llm-causal", data, order)
    refuse_another(order.run, order.settings, told)
    learner = TaggerLearner(base, examples, order.settings, start=order.start)
    run = tagger_run(learner, order.run, examples, order.settings, facts=told, last=[CARD])
    if not run.train(watch.on_step, stop=watch.stop):
        return None
    held = data.held.candidates
    scores = causal_scores(learner.model, causal_examples(chat, held, order.labels), answers(chat))
    calibration = calibrated(scores, [one.right for one in held], gold=data.held.gold)
    return Trained(run.output, calibration, run.samples, run.seconds)


def train_encoder(order: TrainingOrder, data: FilterData, watch: TrainingCallbacks) -> Trained | None:
    """BERT-CLS, from a pretrained encoder, or from random weights where there is no base."""
    from medner.training.filters.encoder import encoded_samples, new_encoder, pretrained_encoder  # noqa: PLC0415
    from medner.training.loop.batching import batches_by_tokens  # noqa: PLC0415  needs torch

    settings = order.settings
    if order.base is None:
        learner = new_encoder(data.train, order.labels, seed=settings.seed)
    else:
        learner = pretrained_encoder(order.base, seed=settings.seed)
    samples = encoded_samples(learner, data.train, order.labels)
    run = Run(
        learner,
        lambda epoch: batches_by_tokens(samples, budget=settings.batch_tokens, seed=settings.seed + epoch),
        order.run,
        settings,
        facts=facts("bert-cls", data, order),
        last=[CARD],
    )
    if not run.train(watch.on_step, stop=watch.stop):
        return None
    held = data.held.candidates
    calibration = calibrated(learner.score(held, order.labels), [one.right for one in held], gold=data.held.gold)
    return Trained(run.output, calibration, run.samples, run.seconds)


def facts(kind: str, data: FilterData, order: TrainingOrder) -> RunFacts:
    """What two parts of one run must have in common."""
    base = "new" if order.base is None else order.base.resolve().name
    label_hash = hashlib.sha256(json.dumps(asdict(order.labels), ensure_ascii=False).encode()).hexdigest()
    return RunFacts(
        {
            "kind": kind,
            "base": base,
            "labels": order.labels.name,
            "label_set": f"sha256:{label_hash}",
            "start": None if order.start is None else named_start(order.start),
            "samples": _digest(data.train),
            "two_way": order.two_way,
        }
    )


def _digest(judged: Sequence[LabelledCandidate]) -> str:
    digest = hashlib.sha256()
    for one in judged:
        digest.update(repr((one.sentence, one.entity, one.right)).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


TRAINERS: dict[str, Callable[[TrainingOrder, FilterData, TrainingCallbacks], Trained | None]] = {
    "llm-cls": train_classifier,
    "llm-causal": train_causal,
    "bert-cls": train_encoder,
}
