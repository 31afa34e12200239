"""Every recipe runs: on a tiny random model of its class, with a chat template like its model's."""

from __future__ import annotations

import pytest

from medner.agents.strategies import CODECS
from medner.agents.taggers.tagger import GenerativeTagger
from medner.core.errors import BadInputError, UserError
from medner.core.labels import load_label_set
from medner.core.records import Document, Entity, Sentence
from medner.store.models.catalogue import shipped_catalogue
from medner.training.recipes import load_recipe, recipe_toml, shipped_recipes
from tests.tiny_model import TEMPLATE, byte_level_tokenizer, save_tiny

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from medner.agents.engines.local.chat import ChatTokens
from medner.agents.engines.local.engine import LocalEngine
from medner.training.loop.batching import epochs_of
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFacts
from medner.training.model.lora import linear_names
from medner.training.taggers.examples import tagger_example
from medner.training.taggers.learner import TaggerLearner
from medner.training.taggers.memory import LargestBatch, memory_need
from medner.training.taggers.plan import tagger_plan

LABELS = load_label_set("cmeee-v2")
RECIPES = shipped_recipes()
PAPER = [recipe for recipe in RECIPES if "0.5b" not in recipe.name]
DOCUMENTS = [
    Document(str(number), f"患者{number}天前出现咳嗽、咽部充血。", (Entity(8, 10, "sym"), Entity(11, 15, "sym")))
    for number in range(10, 22)
]

#: Templates with the turns, control tokens and additions of the models' own, and what ends a turn.
TEMPLATES = {
    "Qwen": (TEMPLATE, "<|im_end|>"),
    "Llama": (
        "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
        "{% if m.role == 'system' %}Cutting Knowledge Date: December 2023\n\n{% endif %}"
        "{{ m.content | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        "<|eot_id|>",
    ),
    "Glm": (
        "[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        "<|endoftext|>",
    ),
    "DeepSeek": (
        "<｜begin▁of▁sentence｜>{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}"
        "{% elif m.role == 'user' %}<｜User｜>{{ m.content }}"
        "{% else %}<｜Assistant｜>{{ m.content }}<｜end▁of▁sentence｜>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}",
        "<｜end▁of▁sentence｜>",
    ),
}
CONTROL = {
    "Qwen": [],
    "Llama": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"],
    "Glm": ["[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>"],
    "DeepSeek": ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"],
}

#: The bases' true sizes: width, inner width, layers, heads, key and value heads, vocabulary.
SIZES = {
    "qwen2.5-7b-instruct": (3_584, 18_944, 28, 28, 4, 152_064),
    "llama-3.1-8b-instruct": (4_096, 14_336, 32, 32, 8, 128_256),
    "glm-4-9b-chat": (4_096, 13_696, 40, 32, 2, 151_552),
    "deepseek-r1-distill-qwen-7b": (3_584, 18_944, 28, 28, 4, 152_064),
}


def family(recipe):
    """Whose chat template it is."""
    return next(name for name in TEMPLATES if recipe.name.startswith(name.lower()))


def config_of(recipe, sizes, **more):
    """A configuration of the recipe's class."""
    width, inner, layers, heads, key_heads, vocabulary = sizes
    return getattr(transformers, recipe.architecture).config_class(
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        head_dim=width // heads,
        vocab_size=vocabulary,
        max_position_embeddings=4_096,
        **more,
    )


def tokenizer_of(recipe):
    """A small tokenizer with the template and the control tokens of the recipe's model."""
    tokenizer = byte_level_tokenizer()
    template, end = TEMPLATES[family(recipe)]
    tokenizer.add_special_tokens({"additional_special_tokens": CONTROL[family(recipe)], "eos_token": end})
    tokenizer.chat_template = template
    return tokenizer


@pytest.fixture(params=RECIPES, ids=lambda recipe: recipe.name)
def recipe(request):
    return request.param


async def test_a_recipe_trains_and_its_adapter_serves(recipe, tmp_path):
    """One optimiser step with the recipe's settings; the local engine loads the adapter and answers with it."""
    if recipe.settings["quantise"] == "nf4":
        pytest.importorskip("bitsandbytes", reason="four-bit weights need bitsandbytes")
    tokenizer = tokenizer_of(recipe)
    layers = recipe.settings["first_layer"] + 1
    config = config_of(
        recipe,
        (64, 128, layers, 4, 2, len(tokenizer)),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    base = save_tiny(tmp_path / "base", config, tokenizer)
    plan = tagger_plan(recipe)
    chat = ChatTokens(tokenizer)
    examples = [tagger_example(chat, one, strategy="symbol", style="brief", labels=LABELS) for one in DOCUMENTS]
    assert max(map(len, examples)) <= plan.max_tokens
    learner = TaggerLearner(base, examples, plan.training)
    run = Run(learner, epochs_of(examples, plan.training), tmp_path / "run", plan.training, facts=RunFacts())
    first = iter([False, True])
    run.train(stop=lambda: next(first))
    steps = run.folder.curve()
    assert len(steps) == 1
    assert steps[0].loss > 0
    moved = [p for name, p in learner.model.named_parameters() if "lora_B" in name]
    assert all(parameter.abs().sum() > 0 for parameter in moved)
    engine = LocalEngine.load(base, {"tuned": run.output})
    tagger = GenerativeTagger("tuned", engine, CODECS["symbol"], LABELS, adapter="tuned")
    text = DOCUMENTS[0].text
    try:
        output = await tagger.tag(Sentence("1", text, 0, "d"))
    finally:
        await engine.close()
    assert not output.decoded.rejected


def test_its_targets_are_all_linear_layers_of_the_class(recipe):
    """No target is misspelt or forgotten: they are the class's linear layers, without the output layer."""
    with torch.device("meta"):
        model = getattr(transformers, recipe.architecture)(config_of(recipe, (64, 128, 1, 4, 2, 300), pad_token_id=0))
    assert tuple(sorted(recipe.settings["targets"])) == linear_names(model)


def test_its_base_is_in_the_catalogue_with_the_same_class(recipe):
    """The base model can be pulled by name, and is of the class the recipe was tried on."""
    entry = shipped_catalogue().find(recipe.base)
    assert entry.architecture == recipe.architecture


def test_its_prompt_ends_where_the_answer_begins(recipe):
    """The chat's last tokens are the template's own opening of the answer; the example ends the turn."""
    tokenizer = tokenizer_of(recipe)
    example = tagger_example(ChatTokens(tokenizer), DOCUMENTS[0], strategy="symbol", style="brief", labels=LABELS)
    opening = {"Qwen": "assistant\n", "Llama": "assistant<|end_header_id|>\n\n", "Glm": "<|assistant|>\n"}
    opening["DeepSeek"] = "<｜Assistant｜><think>\n"
    prompt = tokenizer.decode(example.ids[: example.answer_start])
    assert prompt.endswith(opening[family(recipe)])
    assert tokenizer.decode(example.ids[example.answer_start :]).endswith(f"。{TEMPLATES[family(recipe)][1]}")


@pytest.mark.parametrize("recipe", PAPER, ids=lambda recipe: recipe.name)
def test_the_papers_numbers(recipe):
    """§4.1: six examples a step, learning rate 1e-4; §3.1: QLoRA."""
    training = tagger_plan(recipe).training
    assert (training.batch_examples, training.batches_per_step, training.learning_rate) == (6, 1, 1e-4)
    assert training.quantise == "nf4"
    short = [Document(str(n), "患者咳嗽。", (Entity(2, 4, "sym"),)) for n in range(18)]
    chat = ChatTokens(tokenizer_of(recipe))
    examples = [tagger_example(chat, one, strategy="symbol", style="brief", labels=LABELS) for one in short]
    assert {len(batch) for batch in epochs_of(examples, training)(0)} == {6}


@pytest.mark.parametrize("recipe", PAPER, ids=lambda recipe: recipe.name)
def test_it_fits_a_gpu_of_24_gb(recipe, tmp_path):
    """As the recipes' remarks say, also for the largest batch they allow."""
    config_of(recipe, SIZES[recipe.base], tie_word_embeddings=False).save_pretrained(tmp_path)
    plan = tagger_plan(recipe)
    largest = LargestBatch(plan.training.batch_tokens, 512, None)
    need = memory_need(tmp_path, plan.training, largest, device="cuda")
    parameters = shipped_catalogue().find(recipe.base).parameters
    assert need.weights == pytest.approx(parameters * 0.65, rel=0.15)
    assert need.total < 22e9


def test_every_value_has_a_source(recipe):
    """A comment stands above every setting."""
    lines = recipe_toml(recipe.name).partition("[settings]\n")[2].splitlines()
    above = dict(zip(lines[1:], lines, strict=False))
    assert [line for line, before in above.items() if not line.startswith("#") and not before.startswith("# ")] == []
    assert lines[0].startswith("# ")


def test_what_is_given_wins_over_the_recipe():
    """Options replace a recipe's values; a rank that is given alone brings its own scale; units are seconds."""
    recipe = load_recipe("qwen2.5-7b-instruct")
    plan = tagger_plan(recipe, rank=8, hours=2.0, checkpoint_minutes=1.0, quantise="none", epochs=None, max_tokens=99)
    training = plan.training
    assert (training.rank, training.alpha, training.quantise, training.epochs) == (8, 16, "none", 3)
    assert (training.time_limit_s, training.checkpoint_every_s, plan.max_tokens) == (7_200, 60, 99)
    assert tagger_plan(recipe, rank=8, alpha=5).training.alpha == 5


def test_without_a_recipe_the_defaults_hold():
    """On a CPU the default is bf16."""
    training = tagger_plan().training
    assert (training.rank, training.learning_rate, training.batch_tokens) == (16, 4e-4, 1_024)
    assert training.quantise == ("nf4" if torch.cuda.is_available() else "none")
    with pytest.raises(UserError, match="there are nf4, none and auto"):
        tagger_plan(quantise="int8")


def test_a_recipe_of_ones_own(tmp_path):
    """A file is a recipe by its path; what is wrong in it is named."""
    path = tmp_path / "mine.toml"
    path.write_text('base = "b"\narchitecture = "Qwen2ForCausalLM"\n[settings]\nrank = 2\n', encoding="utf-8")
    assert (load_recipe(str(path)).name, load_recipe(str(path)).settings) == ("mine", {"rank": 2})
    path.write_text('base = "b"\narchitecture = "Qwen2ForCausalLM"\n[settings]\nrnak = 2\n', encoding="utf-8")
    with pytest.raises(BadInputError, match=r"mine\.toml \[settings\.rnak\]"):
        load_recipe(str(path))
    with pytest.raises(UserError, match="give one of deepseek-r1-distill-qwen-7b, glm-4-9b-chat"):
        load_recipe("nothing")
