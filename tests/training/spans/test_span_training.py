"""Training a span tagger for real, on a tiny random model."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity, Sentence
from medner.store.corpora import write_documents
from medner.training.sentences import annotated_sentences
from tests.loss_curves import losses
from tests.tiny_model import save_tiny_model

torch = pytest.importorskip("torch")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.model import LocalModel
from medner.agents.taggers.spans.alignment import align
from medner.agents.taggers.spans.settings import SpanSettings, load_span_tagger
from medner.agents.taggers.spans.tagger import spans_over
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFacts
from medner.training.nesting import nested_pairs
from medner.training.spans.build import span_data
from medner.training.spans.calibration import best_temperature, best_threshold, calibrated
from medner.training.spans.examples import SpanExample, collated
from medner.training.spans.learner import SpanLearner, passes, span_loss, span_settings

LABELS = load_label_set("cmeee-v2")
DOCUMENTS = [
    Document(
        str(number),
        f"患者{number}天前出现咽部充血，咳嗽。",
        (Entity(8, 12, "sym"), Entity(8, 10, "bod"), Entity(13, 15, "sym")),
    )
    for number in range(10, 70)
]
FLAT = [
    replace(document, text=document.text + "无。", entities=tuple(e for e in document.entities if e.label == "sym"))
    for document in DOCUMENTS[:20]
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_documents(DOCUMENTS, folder / "gold.jsonl", format="jsonl")
    write_documents(FLAT, folder / "flat.jsonl", format="jsonl")
    return folder


@pytest.fixture(scope="module")
def data(base, files):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    return span_data(tokenizer, [files / "gold.jsonl"], LABELS, partial=[files / "flat.jsonl"])


def settings(**changes):
    defaults = {"rank": 4, "alpha": 8, "first_layer": 1, "learning_rate": 1e-2, "batch_tokens": 400, "epochs": 40.0}
    return span_settings(**{**defaults, **changes})


def run_of(base, folder, data, **changes):
    chosen = settings(**changes)
    learner = SpanLearner(base, chosen, types=len(LABELS.types))
    return learner, Run(learner, partial(passes, data.complete, data.partial, chosen), folder, chosen, facts=RunFacts())


@pytest.fixture(scope="module")
def trained(base, data, tmp_path_factory):
    learner, run = run_of(base, tmp_path_factory.mktemp("run"), data)
    run.train()
    return learner, run


def test_the_loss_falls(trained):
    """After a few passes the loss is a fraction of what it was."""
    curve = losses(trained[1].output.parent)
    assert curve[-1] < curve[0] / 3


def test_a_trained_tagger_finds_the_entities_when_served(base, data, trained, tmp_path):
    """Through the local engine the adapter and head find what they were shown, nested ones too, in a new sentence."""
    learner, run = trained
    chosen = calibrated(learner.scores_of, data.held_back, LABELS)
    folder = run.output
    SpanSettings(types=LABELS.codes, two_way_from=1, threshold=chosen.threshold).save(folder)
    engine = LocalEngine(LocalModel(base, {"span": folder}, dtype=torch.float32))
    tagger = load_span_tagger(folder, name="span", adapter="span", encoder=engine, labels=LABELS)
    output = asyncio.run(tagger.tag(Sentence("x#0", "患者99天前出现咽部充血，咳嗽。")))
    assert set(output.decoded.entities) == {Entity(8, 12, "sym"), Entity(8, 10, "bod"), Entity(13, 15, "sym")}


def test_training_and_serving_see_the_same_scores(base, data, trained):
    """The scores of the packed engine are those of the padded, masked training pass."""
    from medner.agents.taggers.spans.tagger import span_scores

    learner, run = trained
    folder = run.output
    engine = LocalEngine(LocalModel(base, {"span": folder}, dtype=torch.bfloat16))
    pair = [data.complete[0], data.held_back[0][1]]
    batch = collated(pair, len(LABELS.types))
    with torch.inference_mode():
        expected = learner.scores(batch)
    for row, example in enumerate(pair):
        hidden = asyncio.run(engine.encode(example.aligned.tokens, adapter="span", two_way_from=1))
        found = span_scores(learner.head, hidden, example.aligned)
        count = found.shape[1]
        # bfloat16 on both sides, in other kernels.
        assert torch.allclose(found, expected[row, :, :count, :count], atol=0.6, rtol=0.05)


def test_a_resumed_run_is_the_unbroken_one(base, data, tmp_path):
    """A run that stops and goes on has the loss curve of one that did not, step by step, each step once."""
    run_of(base, tmp_path / "whole", data, epochs=1.0, batch_tokens=100)[1].train()
    first = run_of(base, tmp_path / "parts", data, epochs=1.0, batch_tokens=100)[1]
    asked = iter([False, False, False, True])
    assert not first.train(stop=lambda: next(asked))
    second = run_of(base, tmp_path / "parts", data, epochs=1.0, batch_tokens=100)[1]
    assert second.done == 3
    assert second.train()
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_another_setting_is_another_run(base, data, tmp_path):
    """A run folder refuses to go on with another learning rate, and says which setting differs."""
    run_of(base, tmp_path, data, epochs=1.0)[1].train()
    with pytest.raises(UserError, match="learning_rate"):
        run_of(base, tmp_path, data, epochs=1.0, learning_rate=1e-3)


def test_one_text_in_twenty_is_held_back(data):
    """Held back sentences are none that are trained on."""
    assert data.held_back
    trained_on = {example.aligned.tokens for example in data.complete}
    assert not trained_on & {example.aligned.tokens for _, example in data.held_back}
    assert len(data.complete) + len(data.held_back) == len(DOCUMENTS)


def test_excluded_texts_are_not_trained_on(base, files):
    """Texts of an excluded file are left out and counted."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    write_documents(DOCUMENTS[:30], files / "test.jsonl", format="jsonl")
    data = span_data(tokenizer, [files / "gold.jsonl"], LABELS, exclude=[files / "test.jsonl"])
    assert data.excluded == 30
    assert len(data.complete) + len(data.held_back) == 30
    with pytest.raises(UserError, match="too few"):
        span_data(tokenizer, [files / "gold.jsonl"], LABELS, exclude=[files / "gold.jsonl"])


def test_cells_a_flattened_annotation_may_lack_do_not_count(data):
    """In a partly annotated sentence a body part inside a symptom is no mistake; elsewhere it is."""
    assert nested_pairs(DOCUMENTS) == {("sym", "bod")}
    batch = collated([data.partial[0]], len(LABELS.types))
    body = LABELS.codes.index("bod")
    assert not batch.counted[0, body, 8, 9]
    assert batch.counted[0, body, 3, 4]
    assert batch.targets[0].sum() == 2


def test_the_loss_ignores_what_does_not_count():
    """A score of a cell that does not count has no gradient; one that counts has."""
    scores = torch.zeros(1, 1, 2, 2, requires_grad=True)
    gold = torch.zeros(1, 1, 2, 2)
    counted = torch.tensor([[[[True, False], [False, True]]]])
    span_loss(scores, gold, counted).backward()
    assert scores.grad[0, 0, 0, 1] == 0
    assert scores.grad[0, 0, 0, 0] > 0


def test_entities_across_a_sentence_end_are_counted():
    """A document is cut as a run cuts it; entities keep their place, and those that no sentence holds are counted."""
    document = Document("d", "咳嗽。发热三天。", (Entity(0, 2, "sym"), Entity(3, 5, "sym"), Entity(1, 4, "sym")))
    sentences, lost = annotated_sentences(document)
    assert [(one.text, one.entities) for one in sentences] == [
        ("咳嗽。", (Entity(0, 2, "sym"),)),
        ("发热三天。", (Entity(0, 2, "sym"),)),
    ]
    assert lost == 1


def test_the_threshold_is_the_best_of_those_tried():
    """Where a wrong span scores just below the right ones, the threshold lies between them."""
    scores = torch.full((9, 4, 4), -9.0)
    scores[2, 0, 1] = 1.0
    scores[2, 2, 3] = 0.4
    scored = [(Document("d", "咳嗽发热", (Entity(0, 2, LABELS.codes[2]),)), scores)]
    threshold, f1 = best_threshold(scored, LABELS, 1.0)
    assert f1 == 1.0
    assert 0.4 < torch.logit(torch.tensor(threshold)) <= 1.0


def test_a_model_that_has_learnt_nothing_is_calibrated_too():
    """Where nearly every cell passes, sentences are not compared span with span: this ends in seconds."""
    torch.manual_seed(0)
    text = "咳" * 100
    aligned = align(text, lambda part: [ord(char) for char in part], lambda token: chr(token).encode())
    example = SpanExample(aligned, gold=((0, 1, 2),))
    held_back = [(Document("d", text, (Entity(0, 2, "sym"),)), example)] * 2
    assert calibrated(lambda two: [torch.randn(9, 100, 100) for _ in two], held_back, LABELS).n == 2


def test_thresholds_are_scored_as_a_run_with_each_would_be():
    """Of the spans of the lowest threshold, the better ones are just those that a higher threshold gives."""
    torch.manual_seed(1)
    scores = torch.randn(9, 12, 12)
    lowest = spans_over(scores, LABELS, score=-1.0)
    for least in (0.0, 0.7, 1.5):
        assert spans_over(scores, LABELS, score=least) == [one for one in lowest if one[1] >= least]


def test_the_temperature_grows_with_overconfidence():
    """Scores that are wrong as often as right ask for a higher temperature than those that are always right."""

    def at(*values):
        found = torch.full((9, 6, 6), -9.0)
        for place, value in enumerate(values):
            found[2, place, place] = value
        return found

    gold = Document("d", "咳嗽发热腹泻", tuple(Entity(place, place + 1, LABELS.codes[2]) for place in (0, 1)))
    sure = best_temperature([(gold, at(4.0, 4.0, -4.0, -4.0))], LABELS)
    unsure = best_temperature([(gold, at(4.0, -4.0, 4.0, -4.0))], LABELS)
    assert sure < unsure
