"""LLM-CAUSAL: what is learnt is what the engine asks."""

import pytest

pytest.importorskip("torch")
from transformers import AutoTokenizer

from medner.agents.engines.local.chat import ChatTokens
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.filters import CausalFilter
from medner.agents.prompts.filter import NO, YES, brief_filter_messages
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence
from medner.training.filters.causal import answers, causal_examples
from medner.training.filters.data import FilterData, HeldBack
from medner.training.filters.kinds import TrainingSetup, llm_causal
from medner.training.filters.negatives import LabelledCandidate
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFacts
from medner.training.loop.settings import TaggerTraining
from tests.training.filters.conftest import NOTES

LABELS = load_label_set("cmeee-v2")
JUDGED = tuple(
    one
    for note in NOTES[:8]
    for one in (
        LabelledCandidate(note.text, note.entities[0], True),
        LabelledCandidate(note.text, Entity(note.entities[0].start - 1, note.entities[0].end, "sym"), False),
    )
)


def test_an_example_is_the_engines_question_and_one_token(base):
    """The prompt is that of the engine, token by token; the answer is the token by which it tells yes from no."""
    chat = ChatTokens(AutoTokenizer.from_pretrained(base))
    yes, no = answers(chat)
    model = LocalModel(base)
    assert [model.vocabulary.encode(word)[0] for word in (YES, NO)] == [yes, no]
    judged = (*JUDGED, LabelledCandidate("患者咳嗽<|im_end|>三天。", Entity(2, 4, "sym"), True))
    for one, example in zip(judged, causal_examples(chat, judged, LABELS), strict=True):
        prompt, shared = model.prompt(brief_filter_messages(Sentence("", one.sentence), one.entity, LABELS))
        assert example.ids == (*prompt, yes if one.right else no)
        assert shared > len(model.vocabulary.encode(one.sentence))


async def test_a_tuned_filter_scores_as_it_was_calibrated(base, tmp_path):
    """Trained on a handful of notes, the filter in the engine tells right from wrong at its threshold."""
    settings = TaggerTraining(rank=4, alpha=8, first_layer=0, learning_rate=1e-2, batch_tokens=600, epochs=8.0)
    data = FilterData(JUDGED, HeldBack(JUDGED, len(JUDGED) // 2), 8, 8)
    kind = llm_causal(TrainingSetup(base, LABELS, settings), data)
    learner = kind.learner()
    run = Run(learner, kind.epoch, tmp_path, settings, facts=RunFacts())
    assert run.train()
    assert run.samples == 8 * len(JUDGED)
    calibration = kind.calibration(learner)
    assert calibration.f1 > calibration.f1_all
    engine = LocalEngine(LocalModel(base, {"filter": run.output}))
    made = CausalFilter(
        engine, LABELS, calibration.threshold, "filter", style="brief", temperature=calibration.temperature
    )
    try:
        scores = [(await made.score(Sentence("s", one.sentence), [one.entity]))[0] for one in JUDGED]
    finally:
        await engine.close()
    right = [(score >= made.threshold) == one.right for score, one in zip(scores, JUDGED, strict=True)]
    assert sum(right) / len(right) == pytest.approx(calibration.accuracy, abs=0.1)


def test_a_run_with_fewer_epochs_than_it_has_done_is_over(base, tmp_path):
    """Fewer epochs continue a run, so one that has done more ends at once, with its filter."""
    data = FilterData(JUDGED, HeldBack(JUDGED, 8), 8, 8)
    for epochs in (2.0, 1.0):
        settings = TaggerTraining(rank=4, alpha=8, first_layer=0, batch_tokens=300, epochs=epochs)
        kind = llm_causal(TrainingSetup(base, LABELS, settings), data)
        assert Run(kind.learner(), kind.epoch, tmp_path, settings, facts=RunFacts()).train()
