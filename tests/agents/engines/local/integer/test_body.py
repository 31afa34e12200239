"""The body in eight-bit integers: near the model it stands for, and the same bits whatever else is in a pass."""

import asyncio
import json
import os
import shutil
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")
from transformers import LlamaConfig, Qwen2Config, Qwen3Config

from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.integer.body import IntegerBody
from medner.agents.engines.local.integer.body_shape import body_shape
from medner.agents.engines.local.integer.int8 import int8_product, int8_weight, is_exact, quantised_rows
from medner.agents.engines.local.model import LocalModel, best_format
from medner.agents.engines.local.packed import RowSegment
from medner.core.errors import UserError
from tests.tiny_model import byte_level_tokenizer, save_tiny, save_tiny_adapter

pytestmark = pytest.mark.skipif(not is_exact(), reason="this processor has no exact integer kernels")
CPU = torch.device("cpu")
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4_096,
}
FAMILIES = {"qwen2": Qwen2Config, "qwen3": Qwen3Config, "llama": LlamaConfig}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A tiny random model of each family, and an adapter for it."""
    made = {}
    for name, family in FAMILIES.items():
        tokenizer = byte_level_tokenizer()
        extra = {"head_dim": 16} if name == "qwen3" else {}
        config = family(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **SIZES, **extra)
        base = save_tiny(tmp_path_factory.mktemp(name), config, tokenizer)
        made[name] = base, save_tiny_adapter(base, tmp_path_factory.mktemp("adapter"), seed=1)
    return made


def body(base, kept=None, most_bytes=1 << 30, **adapters):
    shape = body_shape(json.loads((base / "config.json").read_text()))
    assert shape is not None
    made = IntegerBody(base, shape, kept=kept, most_bytes=most_bytes)
    for name, folder in adapters.items():
        made.load_adapter(name, folder)
    return made


def tokens(count, seed=0):
    return [5 + (place * 37 + seed * 11) % 300 for place in range(count)]


def whole(count, **options):
    return RowSegment(None, 0, count, **options)


@pytest.mark.parametrize("adapter", [None, "one"])
@pytest.mark.parametrize("two_way_from", [None, 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_states_are_near_those_in_float32(bases, family, two_way_from, adapter):
    """Of each family, with and without adapter, causal and two-way: what differs is rounding to eight bits."""
    base, folder = bases[family]
    reference = LocalModel(base, {"one": folder}, dtype=torch.float32)
    given = tokens(40)
    options = {"adapter": adapter, "two_way_from": two_way_from}
    expected = reference.hidden(given, [RowSegment(reference.new_cache(), 0, 40, **options)])
    states = body(base, one=folder).run(given, [whole(40, **options)])
    assert (states - expected).norm() < 0.05 * expected.norm()


def test_a_product_is_near_and_a_tokens_bits_are_its_own():
    """Whatever number of tokens there is beside it."""
    torch.manual_seed(0)
    weight, x = torch.randn(96, 64), torch.randn(50, 64)
    made = int8_weight(*quantised_rows(weight))
    product = int8_product(x, made)
    assert (product - x @ weight.T).norm() < 0.02 * (x @ weight.T).norm()
    for count in (1, 3, 8, 49):
        assert torch.equal(int8_product(x[:count], made), product[:count])


def test_a_row_of_zeros_is_zero():
    """Neither a scale of zero nor a token of zeros makes NaN."""
    weight = torch.zeros(8, 16)
    assert torch.equal(int8_product(torch.zeros(2, 16), int8_weight(*quantised_rows(weight))), torch.zeros(2, 8))


def test_a_rows_bits_do_not_depend_on_its_neighbours(bases):
    """Other lengths, other adapters, other depths and equal texts in one pass change no bit of a row."""
    base, folder = bases["qwen2"]
    made = body(base, one=folder)
    rows = [
        (tokens(count, seed), {"adapter": adapter, "two_way_from": two_way, "layers": layers})
        for seed, (count, adapter, two_way, layers) in enumerate(
            [(5, "one", 1, 3), (33, None, None, None), (48, "one", 0, None), (17, None, 2, 2), (70, "one", None, 4)]
        )
    ]
    # Equal tokens as the first row, told apart by adapter, direction, depth alone, or by nothing.
    first = rows[0][0]
    rows += [(first, {"adapter": None, "two_way_from": 1, "layers": 3}), (first, {"adapter": "one", "layers": 2})]
    rows += [(first, {"layers": 2}), (first, {}), (first, {"layers": 2})]
    segments = [whole(len(row), **options) for row, options in rows]
    together = made.run([token for row, _ in rows for token in row], segments)
    at = 0
    for row, options in rows:
        alone = made.run(row, [whole(len(row), **options)])
        assert torch.equal(together[at : at + len(row)], alone)
        at += len(row)


def test_a_rows_bits_do_not_depend_on_its_parts(bases):
    """Decoding runs a row's tokens in parts of any size: the same bits as all at once."""
    base, folder = bases["qwen2"]
    model = LocalModel(base, {"one": folder}, format="int8", device=CPU)
    given, cache = tokens(150), model.new_cache()
    whole_row = model.hidden(given, [RowSegment(cache, 0, 150, "one")])
    cache = model.new_cache(8)
    ends = [0, 7, 8, 9, 70, 131, 150]
    parts = [model.hidden(given[a:b], [RowSegment(cache, a, b - a, "one")]) for a, b in pairwise(ends)]
    assert torch.equal(whole_row, torch.cat(parts))


def test_the_first_layers_are_the_model_cut_to_them(bases, tmp_path):
    """``layers`` gives what a model of so many layers gives, in integers and in transformers' own body."""
    base, _ = bases["qwen2"]
    cut = shutil.copytree(base, tmp_path / "cut")
    config = json.loads((cut / "config.json").read_text())
    config |= {"num_hidden_layers": 2, "layer_types": config["layer_types"][:2]}
    (cut / "config.json").write_text(json.dumps(config))
    given = tokens(30)
    assert torch.equal(body(base).run(given, [whole(30, layers=2)]), body(cut).run(given, [whole(30)]))
    model, shorter = (LocalModel(folder, dtype=torch.float32) for folder in (base, cut))
    both = [RowSegment(model.new_cache(), 0, 30, layers=2), RowSegment(model.new_cache(), 0, 30)]
    states = model.hidden([*given, *given], both)
    assert torch.allclose(states[:30], shorter.hidden(given, [RowSegment(shorter.new_cache(), 0, 30)]), atol=1e-5)
    assert torch.allclose(states[30:], model.hidden(given, [RowSegment(model.new_cache(), 0, 30)]), atol=1e-5)


def test_layers_are_laid_out_once(bases, tmp_path):
    """What the first process writes the next one reads; a torn file is made again."""
    base, folder = bases["qwen2"]
    given, segments = tokens(12), [whole(12, adapter="one")]
    first = body(base, tmp_path, one=folder).run(given, segments)
    kept = sorted(tmp_path.rglob("*.safetensors"))
    # All layers of the base, and of the adapter what it changes.
    assert len(kept) == 2 * SIZES["num_hidden_layers"]
    times = [path.stat().st_mtime_ns for path in kept]
    assert torch.equal(body(base, tmp_path, one=folder).run(given, segments), first)
    assert [path.stat().st_mtime_ns for path in kept] == times
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    assert torch.equal(body(base, tmp_path, one=folder).run(given, segments), first)
    assert kept[0].stat().st_size > 100


def test_a_folder_that_cannot_be_written_costs_only_time(bases, tmp_path):
    """The weights are then made in every process: no folder can be made, or a file in it cannot be written."""
    base, _ = bases["qwen2"]
    (tmp_path / "file").write_text("")
    assert body(base, tmp_path / "file").run(tokens(9), [whole(9)]).shape == (9, 64)
    body(base, tmp_path / "kept").run(tokens(9), [whole(9)])
    (kept,) = (tmp_path / "kept").iterdir()
    for file in kept.iterdir():
        file.unlink()
        file.mkdir()  # nobody, root included, writes over a folder
        (file / "x").write_text("")
    made = body(base, tmp_path / "kept")
    assert made.run(tokens(9), [whole(9)]).shape == (9, 64)
    assert not list(kept.glob("*.part"))


def test_what_was_used_longest_ago_makes_room(bases, tmp_path):
    """Kept files of all models together stay under their limit; those of the model at work stay."""
    for name in ("older", "newer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0").write_bytes(b"12345678")
        os.utime(tmp_path / name, (1, 1 if name == "older" else 2))
    body(bases["qwen2"][0], tmp_path, most_bytes=10).run(tokens(9), [whole(9)])
    names = {path.name for path in tmp_path.iterdir()}
    assert "older" not in names
    assert "newer" in names
    assert len(names) == 2


async def test_a_free_answer_of_a_base_in_bfloat16(bases, tmp_path):
    """Without a constraint the whole output layer is multiplied, in the precision of its file."""
    from safetensors.torch import load_file, save_file

    from medner.agents.engines.engine import Request
    from medner.agents.prompts.messages import Message

    base, _ = bases["qwen2"]
    folder = shutil.copytree(base, tmp_path / "model")
    weights = {name: weight.bfloat16() for name, weight in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    engine = LocalEngine(LocalModel(folder, format="int8", device=CPU))
    answer = await engine.complete(Request((Message("user", "咳嗽"),), max_tokens=5))
    await engine.close()
    assert answer.cost.answer_tokens == 5 or not answer.truncated


@pytest.mark.parametrize(
    "changes", [{"quantization_config": {"quant_method": "fp8"}}, {"rms_norm_eps": None}, {"num_key_value_heads": None}]
)
def test_what_is_not_certain_is_left_to_transformers(bases, changes):
    """Quantised files, and values that a family would fill in by its own default."""
    config = json.loads((bases["qwen2"][0] / "config.json").read_text())
    assert body_shape(config) is not None
    for key, value in changes.items():
        config.pop(key, None)
        if value is not None:
            config[key] = value
    assert body_shape(config) is None


def test_an_untied_output_layer_that_lacks_is_said(bases, tmp_path):
    """It must not be taken for the embeddings."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(bases["qwen2"][0], tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"the first is lm_head\.weight"):
        LocalModel(folder, format="int8", device=CPU)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    model = LocalModel(folder, format="int8", device=CPU)
    assert torch.equal(model._head, weights["model.embed_tokens.weight"])


async def test_more_layers_than_there_are_fail_alone(bases):
    """The request is refused before it joins a pass."""
    engine = LocalEngine(LocalModel(bases["qwen2"][0], format="int8", device=CPU))
    for layers in (0, 5):
        with pytest.raises(UserError, match=f"has 4 layers; a tagger on {layers} of them cannot run"):
            await engine.encode(tokens(9), layers=layers)
    await engine.close()


def test_what_lacks_is_said_when_a_model_is_loaded(bases, tmp_path):
    """Not in the middle of the work; with the way out."""
    from safetensors.torch import load_file, save_file

    base, _ = bases["qwen2"]
    folder = shutil.copytree(base, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.2.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"lack 1 weights, the first is model.layers.2.mlp.up_proj.weight \(`medner"):
        LocalModel(folder, format="int8", device=CPU)


def test_other_models_are_refused_or_take_another_format(bases, tmp_path):
    """A family that this body does not compute gets the fastest of the other formats, unless int8 is asked for."""
    base, _ = bases["qwen2"]
    folder = shutil.copytree(base, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rope_scaling": {"type": "linear", "factor": 2.0}}))
    assert best_format(folder, CPU) != "int8"
    with pytest.raises(UserError, match="int8 computes models of the families qwen2, qwen3, llama"):
        LocalModel(folder, format="int8", device=CPU)


async def test_answers_do_not_depend_on_drafts_batches_or_depths_beside_them(bases):
    """Constrained answers while span rows of another depth are in the same passes."""
    from tests.agents.engines.test_local import request_for

    base, folder = bases["qwen2"]
    model = LocalModel(base, {"one": folder}, format="int8", device=CPU)
    asked = [request_for("咳嗽三天，双侧扁桃体红肿。" * 2, adapter=name, max_tokens=60) for name in (None, "one")]

    async def answers(**options):
        engine = LocalEngine(model, **options)
        rows = [engine.encode(tokens(20), adapter="one", two_way_from=1, layers=2) for _ in range(3)]
        completions = asyncio.gather(*(engine.complete(request) for request in asked))
        await asyncio.gather(completions, *rows)
        await engine.close()
        return [completion.text for completion in completions.result()]

    alone = await answers(max_rows=1, drafting=False)
    assert await answers(max_rows=1) == alone
    assert await answers(max_rows=5) == alone
