"""From records to examples and batches."""

import json

import pytest

from medner.agents.engines.local.chat import ChatTokens
from medner.agents.prompts.tagger import tagger_messages
from medner.agents.strategies import CODECS
from medner.core.records import Document, Entity
from medner.training.loop.batching import batches_by_tokens
from medner.training.taggers.data import TaskForm, training_data
from medner.training.taggers.examples import tagger_example

pytest.importorskip("torch")
from tests.training.taggers.runs_kit import DOCUMENTS, LABELS


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
