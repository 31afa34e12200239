"""Training a tagger for real, on a tiny random model."""

import json

import pytest

from medner.agents.engines.local.chat import ChatTokens
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS
from medner.core.errors import BadInputError, UserError
from medner.core.files.card_text import card_text
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity
from medner.training.loop.batching import batches_by_tokens
from medner.training.taggers.data import TaskForm, training_data
from medner.training.taggers.examples import tagger_example
from tests.tiny_model import byte_level_tokenizer, save_tiny, save_tiny_model

torch = pytest.importorskip("torch")
from medner.training.loop.batching import epochs_of
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFacts, RunFolder
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import adapted_model
from medner.training.taggers.learner import AnswerLoss, TaggerLearner

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

    chat = ChatTokens(AutoTokenizer.from_pretrained(base))
    return [tagger_example(chat, one, strategy="symbol", style="brief", labels=LABELS) for one in DOCUMENTS]


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


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "loss.jsonl").read_text().splitlines()]


def test_an_example_ends_with_the_answer(base, examples):
    """The loss counts from the answer's first token to the end of the turn."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    example = examples[0]
    answer = tokenizer.decode(example.ids[example.answer_start :])
    assert answer == "临床表现：患者10天前出现[咳嗽]、[咽部充血]。<|im_end|>"


@pytest.mark.parametrize("strategy", CODECS)
def test_a_control_string_in_a_sentence_is_learnt_as_text(base, strategy):
    """Prompt and answer are the engine's own tokens; the one control token of the answer ends it."""
    from medner.agents.engines.local.model import LocalModel

    model = LocalModel(base)
    codec, chat = CODECS[strategy], ChatTokens(model.tokenizer)
    for document in (Document("1", "患者咳嗽<|im_end|>三天。", (Entity(2, 4, "sym"),)), DOCUMENTS[0]):
        example = tagger_example(chat, document, strategy=strategy, style="brief", labels=LABELS)
        prompt, _ = model.prompt(tagger_messages("brief", codec, LABELS, document.text))
        answer = model.vocabulary.encode(codec.encode(document.text, document.entities, LABELS))
        assert example.ids == (*prompt, *answer, model.tokenizer.eos_token_id)
        assert example.answer_start == len(prompt)
        assert not set(answer) & set(model.tokenizer.all_special_ids)


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

    run_of(base, tmp_path, examples, settings()).train()
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
    whole = run_of(base, tmp_path / "whole", examples, settings())
    whole.train()

    class KilledError(Exception):
        pass

    first = run_of(base, tmp_path / "parts", examples, settings(checkpoint_every_s=0.0))

    def kill(progress):
        if progress.step.batch >= 6:
            raise KilledError

    with pytest.raises(KilledError):
        first.train(kill)
    second = run_of(base, tmp_path / "parts", examples, settings())
    assert 0 < second.done < 6
    done = second.done
    second.train()
    steps = done // settings().batches_per_step
    assert steps > 0
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_what_fits_older_weights_goes_with_the_first_step(base, examples, tmp_path):
    """A card of an earlier end says a threshold that newer weights do not have; without further steps it stays."""
    chosen = settings(epochs=1.0)
    learner = TaggerLearner(base, examples, chosen)
    tagger_run(learner, tmp_path, examples, chosen, last=["card.toml"]).train()
    card = tmp_path / "adapter" / "card.toml"
    card.write_text("threshold = 0.4\n")
    tagger_run(learner, tmp_path, examples, chosen, last=["card.toml"]).train()
    assert card.is_file()
    more = settings(epochs=2.0)
    assert not tagger_run(learner, tmp_path, examples, more, last=["card.toml"]).train(stop=lambda: True)
    assert not card.is_file()


def test_a_time_limit_ends_with_a_usable_adapter(base, examples, tmp_path):
    """When the time is over the adapter is there, although the data is not used up."""
    trainer = run_of(base, tmp_path, examples, settings(time_limit_s=1e-6))
    trainer.train()
    assert trainer.done < len(trainer.batches)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


def test_a_run_folder_with_other_settings_is_refused(base, examples, tmp_path):
    """Going on with another learning rate would make it another run; the error names the setting."""
    run_of(base, tmp_path, examples, settings(time_limit_s=1e-6)).train()
    with pytest.raises(UserError, match=r"other settings \(learning_rate\)"):
        run_of(base, tmp_path, examples, settings(learning_rate=1.0))


def test_a_run_folder_with_other_data_is_refused(base, examples, tmp_path):
    """What the run was made for counts as well as its settings; more time does not make it another run."""
    short = settings(time_limit_s=1e-6)
    run_of(base, tmp_path, examples, short, facts=RunFacts(task={"data": ["a.json sha256:00"]})).train()
    with pytest.raises(UserError, match=r"other settings \(data\)"):
        run_of(base, tmp_path, examples, short, facts=RunFacts(task={"data": ["b.json sha256:11"]}))
    run_of(base, tmp_path, examples, settings(), facts=RunFacts(task={"data": ["a.json sha256:00"]}))


def test_a_run_folder_of_an_older_version_is_gone_on_with(tmp_path):
    """What its config.json does not tell is not compared; what it tells is."""
    folder = RunFolder(tmp_path)
    folder.begin({"task": {"kind": "span"}}, done=0)
    folder.save_state({})
    folder.check({"task": {"kind": "span", "base": "b"}, "settings": {"rank": 4}})
    with pytest.raises(UserError, match=r"other settings \(kind\)"):
        folder.check({"task": {"kind": "llm-cls", "base": "b"}})


def test_a_damaged_checkpoint_is_said(tmp_path):
    """A checkpoint that lost its bytes names its file and the way out."""
    folder = RunFolder(tmp_path)
    folder.save_state({"done": 3, "masters": [torch.zeros(300)]})
    whole = (tmp_path / "state.pt").read_bytes()
    for damaged in (b"", b"nothing", b"\0" * len(whole), whole[: len(whole) // 2]):
        (tmp_path / "state.pt").write_bytes(damaged)
        with pytest.raises(BadInputError, match=r"state\.pt: is damaged; remove it"):
            folder.state()


def test_a_loss_curve_torn_by_a_kill_is_read_up_to_the_tear(tmp_path):
    """A half-written last line is left out; a broken line before it is an error that names the line."""
    line = json.dumps({"batch": 1, "of": 3, "loss": 2.0, "seconds": 0.1, "tokens": 9, "rate": 0.1})
    (tmp_path / "loss.jsonl").write_text(f'{line}\n{{"batch": 2, "of"')
    assert [step.batch for step in RunFolder(tmp_path).curve()] == [1]
    (tmp_path / "loss.jsonl").write_text(f"{line}\nbroken\n{line}\n")
    with pytest.raises(BadInputError, match=r"loss\.jsonl:2"):
        RunFolder(tmp_path).curve()


def test_a_run_that_is_asked_to_stop_saves_and_says_so(base, examples, tmp_path):
    """Stopping ends after the step under way, with adapter and checkpoint; the run goes on from there."""
    trainer = run_of(base, tmp_path, examples, settings())
    asked = iter([False, False, True])
    assert not trainer.train(stop=lambda: next(asked))
    assert (trainer.done, len(losses(tmp_path))) == (4, 2)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    assert run_of(base, tmp_path, examples, settings()).done == 4


@pytest.mark.parametrize("tied", [True, False])
def test_four_bit_weights_learn(tmp_path, tied):
    """QLoRA on a processor: the body is in nf4, output layer and embeddings are not, and the loss falls."""
    bitsandbytes = pytest.importorskip("bitsandbytes", reason="four-bit weights need bitsandbytes")
    from transformers import Qwen2Config

    tokenizer = byte_level_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        tie_word_embeddings=tied,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,  # wide weights, as in the other tiny models
    )
    base = save_tiny(tmp_path / "base", config, tokenizer)
    chat = ChatTokens(tokenizer)
    examples = [tagger_example(chat, one, strategy="symbol", style="brief", labels=LABELS) for one in DOCUMENTS]
    learner = TaggerLearner(base, examples, settings(quantise="nf4"))
    plain = learner.model.get_base_model()
    layers = [module for module in plain.modules() if isinstance(module, bitsandbytes.nn.Linear4bit)]
    assert len(layers) == 2 * 7
    assert {layer.weight.quant_state.nested for layer in layers} == {True}
    assert plain.get_output_embeddings().weight.dtype == torch.bfloat16
    assert (plain.get_output_embeddings().weight is plain.get_input_embeddings().weight) == tied
    tagger_run(learner, tmp_path / "run", examples, settings(quantise="nf4")).train()
    curve = losses(tmp_path / "run")
    assert sum(curve[-3:]) < 0.7 * sum(curve[:3])


def test_a_whole_vocabulary_in_pieces_gives_the_same_loss_and_gradients(base, examples):
    """Scoring a few answer tokens at a time saves memory and changes nothing but the last bits."""
    model = adapted_model(base, settings())
    found = []
    for piece in (10_000, 7):
        model.zero_grad()
        loss = AnswerLoss(model, None, piece=piece)(examples[:3])
        loss.backward()
        gradient = next(p.grad for name, p in model.named_parameters() if "down_proj.lora_B" in name)
        found.append((loss.item(), gradient.float().clone()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-3)
    assert torch.allclose(found[0][1], found[1][1], rtol=0.1, atol=0.05 * found[0][1].abs().max().item())


def test_recomputing_layers_changes_no_loss(base, examples, tmp_path):
    """Computing layers again in the backward pass gives the curve that keeping them gives."""
    for recompute in (False, True):
        run_of(base, tmp_path / str(recompute), examples, settings(recompute=recompute, epochs=1.0)).train()
    assert losses(tmp_path / "True") == pytest.approx(losses(tmp_path / "False"), rel=1e-3)


def test_a_run_starts_from_an_adapter_of_its_shape_only(base, examples, tmp_path):
    """Going on from an adapter begins where that ended; one of another rank is refused."""
    run_of(base, tmp_path / "first", examples, settings()).train()
    adapter = tmp_path / "first" / "adapter"
    run_of(base, tmp_path / "second", examples, settings(learning_rate=1e-9, epochs=1.0), start=adapter).train()
    assert losses(tmp_path / "second")[0] < 0.7 * losses(tmp_path / "first")[0]
    with pytest.raises(UserError, match="another rank or other layers"):
        run_of(base, tmp_path / "third", examples, settings(rank=8), start=adapter)


def test_what_the_base_model_lacks_is_said(base, examples, tmp_path):
    """A target the model does not have, or layers beyond its last, are the user's error."""
    with pytest.raises(UserError, match="no linear layer gate_up_proj; it has down_proj"):
        run_of(base, tmp_path, examples, settings(targets=("gate_up_proj",)))
    with pytest.raises(UserError, match="2 layers, so none is left"):
        run_of(base, tmp_path, examples, settings(first_layer=2))
    with pytest.raises(UserError, match="cannot be loaded"):
        run_of(tmp_path / "nothing", tmp_path, examples, settings())


def test_a_batch_holds_at_most_so_many_examples(examples):
    """A limit of examples holds beside the budget of tokens, and no example is lost."""
    batches = batches_by_tokens(examples, budget=100_000, most=6, seed=1)
    assert sorted(map(len, batches)) == [2, 6, 6, 6]
    assert sorted(e.ids for batch in batches for e in batch) == sorted(e.ids for e in examples)


def write_jsonl(path, texts):
    lines = [{"id": str(n), "text": text, "entities": []} for n, text in enumerate(texts)]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def test_excluded_texts_and_repeats_are_left_out(base, tmp_path):
    """A text of an excluded file is never trained on; a repeated one counts once; long ones are counted."""
    from transformers import AutoTokenizer

    train = write_jsonl(tmp_path / "train.jsonl", ["咳嗽。", "发热。", "咳嗽。", "咽痛。", "头" * 500])
    test = write_jsonl(tmp_path / "test.jsonl", ["发热。"])
    data = training_data(
        AutoTokenizer.from_pretrained(base),
        [train],
        TaskForm(LABELS, "symbol"),
        exclude=[test],
    )
    assert (len(data.examples), data.documents, data.excluded, data.too_long) == (2, 3, 1, 2)


def test_long_records_are_cut_as_an_annotation_run_cuts_them(base, tmp_path):
    """An example is a sentence, not a record; what crosses a sentence's end is counted."""
    from transformers import AutoTokenizer

    text = "患者咳嗽三天。体温正常。"
    entities = [{"start": 2, "end": 4, "label": "sym"}, {"start": 4, "end": 9, "label": "sym"}]
    line = json.dumps({"id": "1", "text": text, "entities": entities}, ensure_ascii=False)
    path = tmp_path / "records.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(base)
    data = training_data(tokenizer, [path], TaskForm(LABELS, "symbol"))
    answers = [tokenizer.decode(example.ids[example.answer_start :]) for example in data.examples]
    assert (data.documents, data.torn) == (1, 1)
    assert answers[0] == "临床表现：患者[咳嗽]三天。<|im_end|>"
    assert len(answers) == 2


def test_a_card_is_toml():
    """Cards hold strings, numbers and lists."""
    import tomllib

    fields = {"name": "symbol", "examples": 3, "data": ["a.json sha256:00"], "note": '含"引号"'}
    assert tomllib.loads(card_text(fields)) == fields
