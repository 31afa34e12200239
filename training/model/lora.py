"""A base model with a LoRA adapter to train, in full or four-bit weights, and the adapter on disk (§3.1)."""

from __future__ import annotations

import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from medner.agents.engines.local.formats import pick_device
from medner.agents.engines.local.integer.int8 import is_exact
from medner.agents.engines.local.loading import quiet
from medner.core.errors import UserError
from medner.core.files.names import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from medner.training.loop.settings import Products, Quantise, TaggerTraining, changed
from medner.training.model.straight_through import quantise_linear_layers


def quantisation(wanted: str) -> Quantise:
    """``nf4`` or ``none``; ``auto`` is nf4 on a GPU, and none on a CPU, where bf16 is faster. UserError for others."""
    if wanted == "auto":
        return "nf4" if pick_device().type == "cuda" else "none"
    if wanted == "nf4":
        return "nf4"
    if wanted == "none":
        return "none"
    raise UserError(f"no quantisation {wanted!r}; there are nf4, none and auto")


def products_format(wanted: str) -> Products:
    """``bf16`` or ``int8``; ``auto`` is int8 on a processor whose integer kernels are exact. UserError for others."""
    if wanted == "auto":
        return "int8" if pick_device().type == "cpu" and is_exact() else "bf16"
    if wanted == "bf16":
        return "bf16"
    if wanted == "int8":
        return "int8"
    raise UserError(f"no format {wanted!r} for products; there are bf16, int8 and auto")


def chosen_settings(settings: TaggerTraining, given: Mapping[str, Any]) -> TaggerTraining:
    """:func:`changed` settings, where ``auto`` is what suits this machine, and a rank without ``alpha`` doubles it."""
    chosen = {key: value for key, value in given.items() if value is not None}
    if "rank" in chosen:
        chosen.setdefault("alpha", 2 * chosen["rank"])
    for key, choice in (("quantise", quantisation), ("products", products_format)):
        if key in chosen:
            chosen[key] = choice(chosen[key])
    return changed(settings, chosen)


def adapted_model(base: Path, settings: TaggerTraining, *, start: Path | None = None) -> Any:
    """A PEFT model in training mode whose adapter alone is to be trained, on the GPU if there is one.

    The adapter is fresh, or that of the folder ``start``. UserError when the base cannot be loaded or lacks a target.
    """
    with quiet_peft():
        return _adapted(base, settings, start).train()


def _adapted(base: Path, settings: TaggerTraining, start: Path | None) -> Any:
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415  heavy

    model = load_base(base, settings.quantise, layers=settings.layers)
    if settings.products == "int8":
        _check_integers(settings)
        quantise_linear_layers(model.base_model)
    linear = linear_names(model)
    targets = settings.targets or linear
    unknown = sorted(set(targets) - set(linear))
    if unknown:
        raise UserError(f"{base.name} has no linear layer {', '.join(unknown)}; it has {', '.join(linear)}")
    layers = model.config.get_text_config().num_hidden_layers
    if settings.first_layer >= layers:
        raise UserError(f"{base.name} has {layers} layers, so none is left to train from layer {settings.first_layer}")
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(targets),
        layers_to_transform=list(range(settings.first_layer, layers)),
    )
    if settings.recompute:
        _recompute(model)
    adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    for parameter in adapted.parameters():
        # On four-bit layers PEFT makes the adapter in float32, which would double what its products cost.
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.bfloat16)
    if start is not None:
        _start_from(adapted, start)
    adapted.config.use_cache = False
    return adapted


def _recompute(model: Any) -> None:
    # transformers 5.23 gave it another name and warns of the old one.
    name = "activation" if hasattr(model, "activation_checkpointing_enable") else "gradient"
    options = {f"{name}_checkpointing_kwargs": {"use_reentrant": False}}
    getattr(model, f"{name}_checkpointing_enable")(**options)


def _check_integers(settings: TaggerTraining) -> None:
    if settings.quantise == "nf4":
        raise UserError("a base in nf4 has no products in int8; take one of the two")
    if pick_device().type != "cpu" or not is_exact():
        raise UserError("products in int8 need a processor with exact integer kernels (VNNI or AMX); take bf16")


def load_base(base: Path, quantise: Quantise, *, layers: int | None = None) -> Any:
    """A base model in bf16 weights, or in nf4 with double quantisation and a bf16 output layer.

    ``layers`` is how many of its layers to load, from the first on. Its output layer may be tied to its embeddings;
    neither is ever quantised. UserError when it cannot be loaded or has fewer layers.
    """
    from safetensors import SafetensorError  # noqa: PLC0415  heavy
    from transformers import AutoModelForCausalLM  # noqa: PLC0415  heavy

    device = pick_device()
    options: dict[str, Any] = {"dtype": torch.bfloat16, "local_files_only": True}
    if quantise == "nf4":
        options |= {"quantization_config": _nf4(), "device_map": {"": device}}
    try:
        with quiet():
            if layers is not None:
                options["config"] = shortened_config(base, layers)
            model = AutoModelForCausalLM.from_pretrained(base, **options)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{base}: the model cannot be loaded: {first}") from error
    return model.to(device) if quantise == "none" else model


def shortened_config(base: Path, layers: int) -> Any:
    """The configuration of a base model cut to its first ``layers`` layers. UserError when it has fewer."""
    from transformers import AutoConfig  # noqa: PLC0415  heavy

    config = AutoConfig.from_pretrained(base, local_files_only=True)
    text = config.get_text_config()
    if not 0 < layers <= text.num_hidden_layers:
        raise UserError(f"{base.name} has {text.num_hidden_layers} layers, so it cannot be cut to {layers}")
    text.num_hidden_layers = layers
    kinds = getattr(text, "layer_types", None)
    if kinds:
        text.layer_types = list(kinds[:layers])
    return config


def load_tokenizer(base: Path) -> Any:
    """The tokenizer of a base model. UserError when the folder has none that can be loaded."""
    from transformers import AutoTokenizer  # noqa: PLC0415  heavy

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    except Exception as error:  # the tokenizers library raises Exception itself
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{base}: its tokenizer cannot be loaded: {first}") from error
    if len(tokenizer) <= len(tokenizer.added_tokens_decoder):
        # transformers makes an empty one where the files are missing.
        raise UserError(f"{base}: its tokenizer cannot be loaded: it has no words; is there no tokenizer.json?")
    return tokenizer


def _nf4() -> Any:
    from transformers import BitsAndBytesConfig  # noqa: PLC0415  heavy

    if find_spec("bitsandbytes") is None:
        raise UserError("four-bit weights need bitsandbytes: pip install 'medner[train]', or --quantise none")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=["lm_head"],
    )


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Keeps off the terminal what PEFT warns of in transformers, and bitsandbytes' remark on an optional package."""
    logger = logging.getLogger("bitsandbytes")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def linear_names(model: Any) -> tuple[str, ...]:
    """The names (last parts, sorted) of the linear layers in a causal language model's body."""
    return tuple(sorted({name for name, _ in linear_layers(model)}))


def linear_layers(model: Any) -> Iterator[tuple[str, nn.Linear]]:
    """Every linear layer of a causal language model's body with the last part of its name; output layer left out."""
    for name, module in model.base_model.named_modules():
        if isinstance(module, nn.Linear):
            yield name.rpartition(".")[2], module


def learning_parameters(model: Any) -> list[nn.Parameter]:
    """The weights of a model that learn: its adapter's."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def save_adapter(model: Any, folder: Path) -> None:
    """Writes a PEFT model's adapter, file by file whole or not at all.

    What PEFT adds about this machine is left out: the base's path, a template of a card.
    """
    partial = folder.with_name(folder.name + ".partial")
    model.save_pretrained(partial)
    path = partial / ADAPTER_CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = Path(config["base_model_name_or_path"]).name
    # PEFT keeps them in a set, whose order differs from process to process.
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    for name in (ADAPTER_WEIGHTS, path.name):
        os.replace(partial / name, folder / name)
    shutil.rmtree(partial)


def _start_from(model: Any, folder: Path) -> None:
    """Puts an adapter's weights into a model with a fresh one of the same shape; UserError if shapes differ."""
    from peft import set_peft_model_state_dict  # noqa: PLC0415  heavy
    from safetensors import SafetensorError  # noqa: PLC0415  heavy
    from safetensors.torch import load_file  # noqa: PLC0415  heavy

    try:
        weights = load_file(folder / ADAPTER_WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder}: holds no adapter that can be read ({error})") from error
    expected = {
        name.replace(".default.", "."): parameter.shape
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    if expected != {name: weight.shape for name, weight in weights.items()}:
        raise UserError(f"the adapter in {folder} has another rank or other layers than the settings say")
    set_peft_model_state_dict(model, weights)
