"""Conversion of a GGUF file, once, into the folder transformers loads fast: bfloat16 safetensors and a tokenizer."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medner.core.errors import ExternalError, UserError
from medner.store.models.catalogue import CatalogueEntry
from medner.store.models.gguf_facts import GgufFacts, differences, read_gguf_facts

DTYPE = "bfloat16"  # half the memory of float32, and the range of float32, which LoRA training needs


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion made: the architecture's class name, the number format, the context in tokens, versions."""

    architecture: str
    dtype: str
    context: int | None
    versions: dict[str, str]


Convert = Callable[[Path, Path, CatalogueEntry], Conversion]


def convert_gguf(gguf: Path, target: Path, entry: CatalogueEntry) -> Conversion:
    """Writes weights, configuration, generation settings and tokenizer into ``target``.

    UserError when the `local` extra is missing or the architecture is not the one the catalogue names; ExternalError
    when the tokenizer that came out differs from what the GGUF file says, or the disk is full.
    """
    try:
        import torch  # noqa: F401, PLC0415 slow to import, and only in the local extra
        import transformers  # noqa: F401, PLC0415
    except ImportError as error:
        raise UserError(f"converting a model needs {error.name}: pip install 'medner[local]'") from error
    facts = read_gguf_facts(gguf)
    target.mkdir(parents=True, exist_ok=True)
    with _quiet_transformers():
        tokenizer = _tokenizer(gguf, facts)
        end_ids = _end_ids(tokenizer, entry.end_tokens)
        tokenizer.save_pretrained(target)
        architecture = _weights(gguf, target, end_ids, tokenizer)
    if entry.architecture and architecture != entry.architecture:
        raise UserError(f"{gguf.name} is a {architecture}, but {entry.name} is a {entry.architecture}")
    for file in target.iterdir():
        file.chmod(0o644)  # the writer of safetensors leaves 0600, useless in a store that users share
    return Conversion(architecture, DTYPE, facts.context, versions())


def versions() -> dict[str, str]:
    """The versions a converted model depends on."""
    packages = ("medner", "torch", "transformers", "gguf")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}


def _tokenizer(gguf: Path, facts: GgufFacts) -> Any:
    from transformers import AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
    # These describe this load, not the model.
    for key in ("is_local", "local_files_only", "gguf_file"):
        tokenizer.init_kwargs.pop(key, None)
    if facts.context:
        tokenizer.model_max_length = facts.context
    if wrong := differences(tokenizer, facts):
        raise ExternalError(
            f"{gguf.name}: the converted tokenizer differs from the file ({'; '.join(wrong)}). "
            "Another version of transformers may read it right, or take the model from the hub (--source hub)"
        )
    return tokenizer


def _end_ids(tokenizer: Any, end_tokens: tuple[str, ...]) -> list[int]:
    ids = [tokenizer.eos_token_id]
    for token in end_tokens:
        number = tokenizer.get_vocab().get(token)
        if number is None:
            raise UserError(f"the tokenizer has no {token!r}, which the catalogue names as an end of answers")
        ids.append(number)
    return list(dict.fromkeys(number for number in ids if number is not None))


def _weights(gguf: Path, target: Path, end_ids: list[int], tokenizer: Any) -> str:
    import torch  # noqa: PLC0415
    from safetensors import SafetensorError  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, GenerationConfig, GgufConfig  # noqa: PLC0415

    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=getattr(torch, DTYPE),
        local_files_only=True,
    )
    # GGUF holds no sampling settings; greedy is what annotation uses, so nothing else is written.
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=end_ids, pad_token_id=tokenizer.pad_token_id
    )
    try:
        model.save_pretrained(target)
    except SafetensorError as error:
        raise ExternalError(f"{target}: the converted weights cannot be written: {error}") from error
    return type(model).__name__


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    from transformers import modeling_gguf_pytorch_utils as reader  # noqa: PLC0415
    from transformers.utils import logging  # noqa: PLC0415

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # The GGUF reader's bar heeds no setting and would break the caller's own.
    bar, reader.tqdm = reader.tqdm, lambda tensors, **_: tensors
    try:
        yield
    finally:
        reader.tqdm = bar
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
