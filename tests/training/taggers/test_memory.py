"""What a training needs is estimated from the model's shape, and compared with what there is."""

from __future__ import annotations

import pytest

from medner.core.errors import UserError
from tests.tiny_model import byte_level_tokenizer, save_tiny, save_tiny_model

torch = pytest.importorskip("torch")
from medner.training.loop.settings import TaggerTraining
from medner.training.model.lora import adapted_model
from medner.training.taggers.examples import Example
from medner.training.taggers.memory import (
    LargestBatch,
    MemoryNeed,
    available_bytes,
    check_memory,
    largest_batch,
    largest_rows,
    memory_need,
    tagger_ways_out,
)

BATCH = LargestBatch(tokens=1_000, answers=500, vocabulary=400)
PLENTY = MemoryNeed(weights=2e9, adapter=1e9, activations=3e9, loss=1e9, process=1e9)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("base"))


def test_weights_are_counted_exactly(base):
    """The estimate of the weights is the size of the loaded model, and the adapter's that of its parameters."""
    settings = TaggerTraining(first_layer=1, rank=4)
    need = memory_need(base, settings, BATCH)
    model = adapted_model(base, settings)
    trained = [p for p in model.parameters() if p.requires_grad]
    frozen = [p for p in model.parameters() if not p.requires_grad]
    assert need.weights == sum(p.numel() * p.element_size() for p in frozen)
    assert need.adapter == 20 * sum(p.numel() for p in trained)


def test_four_bit_weights_are_a_quarter(base):
    """Only the body's linear layers shrink; their scales take a little of what is saved."""
    plain, small = (memory_need(base, TaggerTraining(quantise=how), BATCH).weights for how in ("none", "nf4"))
    linear = 2 * (64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 128)
    assert plain - small == pytest.approx(linear * (2 - 0.5 - 0.0159), rel=1e-3)


def test_activations_are_at_least_what_autograd_keeps(base):
    """What a forward pass really keeps for the backward pass is below the estimate, and not far below."""
    tokens = 512
    for recompute in (False, True):
        settings = TaggerTraining(first_layer=0, rank=4, recompute=recompute)
        kept: dict[int, int] = {}
        model = adapted_model(base, settings)
        weights = {p.untyped_storage().data_ptr() for p in model.parameters()}

        def keep(tensor, kept=kept, weights=weights):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            state = model.get_base_model().base_model(input_ids=torch.ones(4, tokens // 4, dtype=torch.long))[0]
        estimate = memory_need(base, settings, LargestBatch(tokens, 1, 1), device="cuda").activations
        assert state.shape[0] == 4
        assert sum(kept.values()) <= estimate
        assert recompute or estimate < 4 * sum(kept.values())


def test_the_largest_batch_is_padded():
    """Padding takes memory as well; a whole vocabulary is scored a piece at a time."""
    batches = [[Example(tuple(range(10)), 4), Example(tuple(range(6)), 4)], [Example(tuple(range(12)), 11)]]
    assert largest_batch(batches, 7) == LargestBatch(tokens=20, answers=8, vocabulary=7)
    long = [[Example(tuple(range(2_000)), 1)]]
    assert largest_batch(long, None) == LargestBatch(tokens=2_000, answers=512, vocabulary=None)


def test_too_little_memory_is_refused_with_the_ways_out():
    """The error says how much is needed and there, what it is for, and what would help."""
    with pytest.raises(UserError) as caught:
        check_memory(PLENTY, 4e9, tagger_ways_out(TaggerTraining()))
    message = str(caught.value)
    assert "needs about 8.0 GB of memory and 4.0 GB are free" in message
    for part in ("activations 3.0 GB", "--batch-tokens (now 1,024)", "--quantise nf4", "--recompute", "--force"):
        assert part in message


def test_what_is_done_already_is_not_advised():
    """Four-bit weights and recomputing are not recommended to a run that has them."""
    with pytest.raises(UserError) as caught:
        check_memory(PLENTY, 4e9, tagger_ways_out(TaggerTraining(quantise="nf4", recompute=True)))
    assert "--quantise" not in str(caught.value)
    assert "--recompute" not in str(caught.value)


@pytest.mark.parametrize("available", [8e9, None])
def test_enough_or_unknown_memory_is_let_through(available):
    """A run that fits begins, and so does one on a system that does not say what is free."""
    check_memory(PLENTY, available, [])


def test_a_containers_limit_counts(tmp_path):
    """What is free is the least of the machine's and the control group's; pages of files can be dropped."""
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable:    4000 kB\n")
    cpu = torch.device("cpu")
    assert available_bytes(cpu, meminfo=meminfo, limits=tmp_path) == 4_000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 400000\n")
    assert available_bytes(cpu, meminfo=meminfo, limits=tmp_path) == 900_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes(cpu, meminfo=meminfo, limits=tmp_path) == 4_000 * 1024


def test_a_folder_without_a_model_is_refused(tmp_path):
    """The estimate needs config.json."""
    with pytest.raises(UserError, match=r"config\.json cannot be used"):
        memory_need(tmp_path / "nothing", TaggerTraining(), BATCH)


def test_a_tied_output_layer_is_counted_once(tmp_path):
    """Embeddings that are the output layer as well lie in memory once."""
    from transformers import Qwen2Config

    tokenizer = byte_level_tokenizer()
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    bases = [
        save_tiny(
            tmp_path / str(tied),
            Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=4, tie_word_embeddings=tied, **shape),
            tokenizer,
        )
        for tied in (False, True)
    ]
    untied, tied = (memory_need(base, TaggerTraining(), BATCH).weights for base in bases)
    assert untied - tied == 2 * 64 * len(tokenizer)


def test_runs_without_answers_are_checked_too(base):
    """Span taggers and classifiers need what the body needs; a batch that no machine holds is refused."""
    need = memory_need(base, TaggerTraining(), largest_rows([["咳嗽"], ["咳"]]))
    check_memory(need, 4e9, [])
    vast = memory_need(base, TaggerTraining(first_layer=0), largest_rows([["长" * 10_000_000]]))
    with pytest.raises(UserError, match="a smaller --base"):
        check_memory(vast, 4e9, ["a smaller --base"])
