"""Training a tagger for real, on a tiny random model."""

import json

import pytest

from medner.store.errors import UserError
from medner.store.labels import load_label_set
from medner.store.records import Document, Entity
from medner.training.build import TaskForm, card_text, training_data
from medner.training.examples import batches_by_tokens, tagger_example
from tests.tiny_model import save_tiny_model

torch = pytest.importorskip("torch")
from medner.training.tagger import TaggerTrainer, TaggerTraining

LABELS = load_label_set("cmeee-v2")
DOCUMENTS = [
    Document(str(number), f"患者{number}天前出现咳嗽、咽部充血。", (Entity(8, 10, "sym"), Entity(11, 15, "sym")))
    for number in range(10, 30)
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def examples(base):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    return [
        tagger_example(tokenizer, document, strategy="symbol", style="brief", labels=LABELS) for document in DOCUMENTS
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


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "loss.jsonl").read_text().splitlines()]


def test_an_example_ends_with_the_answer(base, examples):
    """The loss counts from the answer's first token to the end of the turn."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    example = examples[0]
    answer = tokenizer.decode(example.ids[example.answer_start :])
    assert answer == "临床表现：患者10天前出现[咳嗽]、[咽部充血]。<|im_end|>"


def test_batches_keep_every_example_within_the_budget(examples):
    """Each example stands in exactly one batch; padded, none is over the budget; the seed decides the order."""
    batches = batches_by_tokens(examples, budget=400, seed=1)
    assert sorted(e.ids for batch in batches for e in batch) == sorted(e.ids for e in examples)
    assert all(max(map(len, batch)) * len(batch) <= 400 for batch in batches)
    assert batches == batches_by_tokens(examples, budget=400, seed=1)
    assert batches != batches_by_tokens(examples, budget=400, seed=2)


def test_training_learns_and_writes_an_adapter_the_engine_loads(base, examples, tmp_path):
    """The loss falls, and the local engine takes the adapter."""
    from medner.agents.engines.local.model import LocalModel

    TaggerTrainer(base, tmp_path, examples, settings()).train()
    curve = losses(tmp_path)
    assert sum(curve[-3:]) < 0.7 * sum(curve[:3])
    assert LocalModel(base, {"tuned": tmp_path / "adapter"}).adapters == ("tuned",)
    config = (tmp_path / "adapter" / "adapter_config.json").read_text()
    assert str(base.parent) not in config
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_a_run_that_was_killed_goes_on_with_the_same_curve(base, examples, tmp_path):
    """A run stopped after a checkpoint and started again has the loss curve of one that was never stopped."""
    whole = TaggerTrainer(base, tmp_path / "whole", examples, settings())
    whole.train()

    class KilledError(Exception):
        pass

    first = TaggerTrainer(base, tmp_path / "parts", examples, settings(checkpoint_every_s=0.0))

    def kill(step):
        if step.batch >= 6:
            raise KilledError

    with pytest.raises(KilledError):
        first.train(kill)
    second = TaggerTrainer(base, tmp_path / "parts", examples, settings())
    assert 0 < second.done < 6
    done = second.done
    second.train()
    steps = done // settings().batches_per_step
    assert (
        losses(tmp_path / "parts")[-(len(losses(tmp_path / "whole")) - steps) :] == losses(tmp_path / "whole")[steps:]
    )


def test_a_time_limit_ends_with_a_usable_adapter(base, examples, tmp_path):
    """When the time is over the adapter is there, although the data is not used up."""
    trainer = TaggerTrainer(base, tmp_path, examples, settings(time_limit_s=1e-6))
    trainer.train()
    assert trainer.done < len(trainer.batches)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


def test_a_run_folder_with_other_settings_is_refused(base, examples, tmp_path):
    """Going on with another learning rate would make it another run; the error names the setting."""
    TaggerTrainer(base, tmp_path, examples, settings(time_limit_s=1e-6)).train()
    with pytest.raises(UserError, match=r"other settings \(learning_rate\)"):
        TaggerTrainer(base, tmp_path, examples, settings(learning_rate=1.0))


def write_jsonl(path, texts):
    lines = [{"id": str(n), "text": text, "entities": []} for n, text in enumerate(texts)]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def test_excluded_texts_and_repeats_are_left_out(base, tmp_path):
    """A text of an excluded file is never trained on; a repeated one counts once; long ones are counted."""
    from transformers import AutoTokenizer

    train = write_jsonl(tmp_path / "train.jsonl", ["咳嗽。", "发热。", "咳嗽。", "咽痛。", "头" * 400])
    test = write_jsonl(tmp_path / "test.jsonl", ["发热。"])
    data = training_data(
        AutoTokenizer.from_pretrained(base),
        [train],
        TaskForm(LABELS, "symbol"),
        exclude=[test],
    )
    assert (len(data.examples), data.documents, data.excluded, data.too_long) == (2, 3, 1, 1)


def test_a_card_is_toml():
    """Cards hold strings, numbers and lists."""
    import tomllib

    fields = {"name": "symbol", "examples": 3, "data": ["a.json sha256:00"], "note": '含"引号"'}
    assert tomllib.loads(card_text(fields)) == fields
