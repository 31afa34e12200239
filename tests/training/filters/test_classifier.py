"""Training LLM-CLS for real on a tiny random model, and running what it wrote."""

import shutil

import pytest

torch = pytest.importorskip("torch")
from transformers import AutoTokenizer

from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.filters import ClassifierFilter, load_head
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence
from medner.training.filters.classifier import ClassifierLearner
from medner.training.filters.data import FilterData, HeldBack
from medner.training.filters.kinds import TrainingSetup, llm_cls
from medner.training.filters.negatives import GoldSentence, LabelledCandidate, sampled
from medner.training.filters.packing import packed_rows
from medner.training.loop.batching import batches_by_tokens
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFacts
from medner.training.loop.settings import TaggerTraining
from tests.loss_curves import losses
from tests.training.filters.conftest import NOTES

LABELS = load_label_set("cmeee-v2")
SAMPLES = sampled(
    [GoldSentence(one.text, frozenset(one.entities)) for one in NOTES[:24]], LABELS.codes, samples=80, seed=1
)
DATA = FilterData(SAMPLES[::2], HeldBack(SAMPLES[1::2], 20), 20, 20)


def settings(**changes):
    options = {"rank": 4, "alpha": 8, "first_layer": 0, "learning_rate": 5e-3, "batch_tokens": 600, "epochs": 8.0}
    return TaggerTraining(**{**options, **changes})


def test_training_learns_and_writes_a_filter(base, tmp_path):
    """The loss falls, held-back candidates are told apart, and the folder holds adapter and classification layer."""
    kind = llm_cls(TrainingSetup(base, LABELS, settings()), DATA)
    learner = kind.learner()
    run = Run(learner, kind.epoch, tmp_path, settings(), facts=RunFacts())
    assert run.train()
    calibration = kind.calibration(learner)
    curve = losses(tmp_path)
    assert sum(curve[-3:]) < 0.7 * sum(curve[:3])
    assert calibration.f1 > calibration.f1_all
    assert run.samples == 8 * len(DATA.train)
    names = {"adapter_config.json", "adapter_model.safetensors", "classifier.safetensors"}
    assert {path.name for path in run.output.iterdir()} == names
    assert str(base.parent) not in (run.output / "adapter_config.json").read_text()


@pytest.mark.parametrize("two_way", [False, True])
async def test_the_filter_scores_as_training_does(base, tmp_path, two_way):
    """In full precision, a candidate behind the shared sentence in the engine scores as in its packed row."""
    learner = ClassifierLearner(base, settings(), two_way=two_way)
    learner.model.float()
    for parameter in (*learner.parameters(), *learner.faster()[0]):
        torch.nn.init.normal_(parameter, std=0.1)
    learner.save(tmp_path)
    text = "患者三天前出现咳嗽、咳黄痰，伴咳嗽。<|im_end|>[咳嗽]"
    entities = [
        Entity(7, 9, "sym"),
        Entity(15, 17, "sym"),
        Entity(6, 9, "sym"),
        Entity(0, 30, "dis"),
        Entity(7, 9, "dis"),
    ]
    tokens = Vocabulary(AutoTokenizer.from_pretrained(base), frozenset()).encode
    rows = packed_rows(tokens, [LabelledCandidate(text, one, True) for one in entities], LABELS, longest=120)
    assert len(rows) > 1
    expected = torch.sigmoid(torch.tensor(learner.score(rows)) / 1.7).tolist()
    engine = LocalEngine(LocalModel(base, {"filter": tmp_path}, dtype=torch.float32))
    try:
        made = ClassifierFilter(
            engine, LABELS, load_head(tmp_path), temperature=1.7, adapter="filter", two_way_from=learner.two_way_from
        )
        scores = await made.score(Sentence("s", text), [*entities, entities[0]])
        plain = ClassifierFilter(engine, LABELS, load_head(tmp_path), temperature=1.7)
        without = await plain.score(Sentence("s", text), entities)
    finally:
        await engine.close()
    assert scores == pytest.approx([*expected, expected[0]], abs=1e-4)
    assert len({round(score, 3) for score in expected}) == len(entities)
    assert without != pytest.approx(expected, abs=1e-3)


def make_run(base, folder, **changes):
    rows = packed_rows(Vocabulary(AutoTokenizer.from_pretrained(base), frozenset()).encode, DATA.train, LABELS)
    chosen = settings(epochs=4.0, **changes)
    return Run(
        ClassifierLearner(base, chosen),
        lambda epoch: batches_by_tokens(rows, budget=chosen.batch_tokens, seed=chosen.seed + epoch),
        folder,
        chosen,
        facts=RunFacts({"base": base.name}),
    )


def test_a_run_that_was_killed_goes_on_with_the_same_curve(base, tmp_path):
    """A run stopped after a checkpoint and started again has the loss curve of one that was never stopped."""
    make_run(base, tmp_path / "whole").train()

    class KilledError(Exception):
        pass

    def kill(progress):
        if progress.share > 0.5:
            raise KilledError

    with pytest.raises(KilledError):
        make_run(base, tmp_path / "parts", checkpoint_every_s=0.0).train(kill)
    second = make_run(base, tmp_path / "parts")
    assert 0 < second.progress < 1
    second.train()
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_a_time_limit_ends_with_a_usable_filter(base, tmp_path):
    """When the time is over, what was learnt so far can be run; with no time at all too."""
    for limit in (0.0, 1e-6):
        run = make_run(base, tmp_path / str(limit), time_limit_s=limit)
        run.train()
        assert run.done < len(run.batches)
        assert load_head(run.output).weight_W.shape == (64,)


def test_a_run_folder_of_another_run_is_refused(base, tmp_path):
    """Other settings or other samples would make it another run."""
    make_run(base, tmp_path, time_limit_s=1e-6).train()
    with pytest.raises(UserError, match=r"other settings \(learning_rate\)"):
        make_run(base, tmp_path, learning_rate=1.0)


def test_a_run_on_another_base_is_another_run(base, tmp_path):
    """A model of the same shape would take the weights and make nonsense of them, so its name is compared."""
    make_run(base, tmp_path / "run", time_limit_s=1e-6).train()
    other = shutil.copytree(base, tmp_path / "other-base")
    with pytest.raises(UserError, match=r"other settings \(base\)"):
        make_run(other, tmp_path / "run")
