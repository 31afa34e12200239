"""A base model and its tokenizer off the disk, quietly, and refused where packed passes would get it wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from medner.agents.engines.local.integer.weights import WAY_OUT
from medner.agents.engines.local.packed import ATTENTION, packed_attention
from medner.core.errors import UserError

#: Layers that look at a row's other tokens through attention alone. Others (recurrent ones, for example) would let
#: the rows of a packed pass run into one another.
_LAYERS = {"full_attention", "sliding_attention"}


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps transformers' progress bars and remarks off the terminal; puts its switches back afterwards."""
    from transformers.utils import logging  # noqa: PLC0415  heavy

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load(path: Path, *, dtype: torch.dtype) -> tuple[Any, Any]:
    """The tokenizer and the model of a folder, in packed attention.

    UserError when files are missing, damaged or incomplete, and for a kind of model that packed passes cannot run.
    """
    from safetensors import SafetensorError  # noqa: PLC0415  heavy
    from transformers import AttentionInterface, AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    if not (path / "tokenizer.json").is_file():
        # transformers would make an empty tokenizer.
        raise UserError(f"{path}: the model cannot be loaded: it has no tokenizer.json ({WAY_OUT})")
    AttentionInterface.register(ATTENTION, packed_attention)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            model, told = AutoModelForCausalLM.from_pretrained(
                path,
                dtype=dtype,
                local_files_only=True,
                attn_implementation=ATTENTION,
                use_safetensors=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{path}: the model cannot be loaded: {first} ({WAY_OUT})") from error
    missing = sorted(told["missing_keys"])
    if missing:
        # transformers would put random numbers in their place.
        raise UserError(f"{path}: the model's files lack {len(missing)} weights, the first is {missing[0]} ({WAY_OUT})")
    reason = _cannot_run(tokenizer, model)
    if reason:
        raise UserError(f"{path}: the local engine cannot run this model: {reason}")
    return tokenizer, model


def _cannot_run(tokenizer: Any, model: Any) -> str:
    """Why packed passes would not give what the model says; nothing when they do."""
    config = model.config.get_text_config()
    others = sorted(set(getattr(config, "layer_types", None) or ()) - _LAYERS)
    head = model.get_output_embeddings()
    if others:
        return f"it has layers of the kind {', '.join(others)}"
    if not getattr(model, "_supports_attention_backend", False):
        return "transformers does not let its attention be replaced"
    if getattr(config, "attn_logit_softcapping", None):
        return "it caps the scores of its attention"
    if head is None or getattr(head, "bias", None) is not None:
        return "its output layer is not a plain matrix"
    if not tokenizer.chat_template:
        return "its tokenizer has no chat template; take the instruction-tuned (chat) variant of the model"
    return ""
