"""Training a tagger for real, on a tiny random model."""

import pytest

from medner.agents.engines.local.chat import ChatTokens
from medner.core.errors import UserError
from medner.training.taggers.examples import tagger_example
from tests.tiny_model import byte_level_tokenizer, save_tiny

torch = pytest.importorskip("torch")
from medner.training.model.lora import adapted_model
from medner.training.taggers.learner import AnswerLoss, TaggerLearner
from tests.loss_curves import losses
from tests.training.taggers.runs_kit import DOCUMENTS, LABELS, run_of, settings, tagger_run


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
