"""BERT-CLS: a small encoder from random weights, its tokenizer, and what inference makes of it."""

import json

import pytest

torch = pytest.importorskip("torch")

from medner.agents.filters import load_encoder_filter
from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.core.records import Entity, Sentence
from medner.training.filters.encoder import (
    NewEncoder,
    character_tokenizer,
    encoded_samples,
    new_encoder,
    pretrained_encoder,
)
from medner.training.filters.negatives import LabelledCandidate
from medner.training.loop.batching import batches_by_tokens
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFacts
from medner.training.loop.settings import TaggerTraining
from tests.training.filters.conftest import NOTES

LABELS = load_label_set("cmeee-v2")
SMALL = NewEncoder(layers=1, width=64, heads=2, positions=96)
JUDGED = [
    one
    for note in NOTES[:20]
    for one in (
        LabelledCandidate(note.text, note.entities[0], True),
        LabelledCandidate(note.text, Entity(note.entities[0].start - 1, note.entities[0].end, "sym"), False),
    )
]


def test_tokens_are_characters():
    """Each character is a token, an unknown one too; a pair is read as BERT reads pairs; markup in a note is text."""
    tokenizer = character_tokenizer("头痛𠮷 \n[CLS]")
    read = tokenizer("头痛", "𠮷 癌\n[CLS]")
    tokens = ["[CLS]", "头", "痛", "[SEP]", "𠮷", " ", "[UNK]", "\n", "[", "C", "L", "S", "]", "[SEP]"]
    assert tokenizer.convert_ids_to_tokens(read["input_ids"]) == tokens
    assert read["token_type_ids"] == [0] * 4 + [1] * 10


async def test_training_learns_and_inference_scores_alike(tmp_path):
    """The loss falls; what was written scores as the learner does; a long sentence is read around the candidate."""
    learner = new_encoder(JUDGED, LABELS, seed=1, size=SMALL)
    samples = encoded_samples(learner, JUDGED, LABELS)
    settings = TaggerTraining(learning_rate=3e-3, batch_tokens=300, batches_per_step=1, epochs=18.0)
    run = Run(learner, lambda n: batches_by_tokens(samples, budget=300, seed=n), tmp_path, settings, facts=RunFacts())
    assert run.train()
    curve = [json.loads(line)["loss"] for line in (tmp_path / "loss.jsonl").read_text().splitlines()]
    assert sum(curve[-3:]) < 0.5 * sum(curve[:3])
    made = load_encoder_filter(run.output, LABELS, threshold=0.5, temperature=1.0, name="small")
    scores = [(await made.score(Sentence("s", one.sentence), [one.entity]))[0] for one in JUDGED]
    assert [score > 0.5 for score in scores] == [logit > 0 for logit in learner.score(JUDGED, LABELS)]
    text = JUDGED[0].sentence
    first, second, again = await made.score(Sentence("s", text), [JUDGED[0].entity, JUDGED[1].entity, JUDGED[0].entity])
    assert first == again != second
    long = "。" * 900 + text + "。" * 900
    entity = JUDGED[0].entity.shifted(900)
    assert len(await made.score(Sentence("s", long), [entity])) == 1


def test_an_encoder_of_hugging_faces_gets_a_fresh_layer(tmp_path):
    """A folder with an encoder can be tuned; one without is refused."""
    made = new_encoder(JUDGED, LABELS, seed=1, size=SMALL)
    made.model.bert.save_pretrained(tmp_path)
    made.tokenizer.save_pretrained(tmp_path)
    again = pretrained_encoder(tmp_path, seed=2)
    assert len(again.score(JUDGED[:3], LABELS)) == 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no encoder"):
        pretrained_encoder(tmp_path / "empty", seed=1)
    with pytest.raises(UserError, match="cannot be loaded"):
        load_encoder_filter(tmp_path / "empty", LABELS, threshold=0.5, temperature=1.0, name="x")


def saved_encoder(folder, dtype):
    """The folder of an encoder in the given precision, as Hugging Face's are."""
    made = new_encoder(JUDGED, LABELS, seed=1, size=SMALL)
    made.model.bert.to(dtype).save_pretrained(folder)
    made.tokenizer.save_pretrained(folder)
    return folder, made.tokenizer


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_an_encoder_is_trained_in_full_precision(tmp_path, dtype):
    """Whatever the precision of its file: half precision would need its gradients scaled."""
    folder, _ = saved_encoder(tmp_path, dtype)
    learner = pretrained_encoder(folder, seed=1)
    assert {parameter.dtype for parameter in learner.parameters()} == {torch.float32}
    learner.save(tmp_path / "tuned")
    assert json.loads((tmp_path / "tuned" / "config.json").read_text())["dtype"] == "float32"


def test_what_is_no_encoder_is_refused(base, tmp_path):
    """A causal language model, a tokenizer that cannot pad, and none: the error names the way out."""
    with pytest.raises(
        UserError, match=r"\(Qwen2ForCausalLM\); bert-cls needs an encoder, the other kinds take a lang"
    ):
        pretrained_encoder(base, seed=1)
    folder, tokenizer = saved_encoder(tmp_path, torch.float32)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(UserError, match="without a padding token; bert-cls needs an encoder"):
        pretrained_encoder(folder, seed=1)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="its tokenizer cannot be loaded"):
        pretrained_encoder(folder, seed=1)
