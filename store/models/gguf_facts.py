"""What a GGUF file says about its tokenizer, and whether a converted tokenizer says the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medner.core.errors import UserError

_CONTROL = 3  # the token type GGUF gives to markers such as <|im_end|>


@dataclass(frozen=True, slots=True)
class GgufFacts:
    """Metadata of a GGUF file; ids are None where the file states none."""

    architecture: str
    context: int | None
    tokens: tuple[str, ...]
    control_ids: tuple[int, ...]
    eos_id: int | None
    bos_id: int | None
    pad_id: int | None
    adds_bos: bool | None
    chat_template: str | None


def read_gguf_facts(path: Path) -> GgufFacts:
    """The metadata of a GGUF file; needs the `gguf` package. UserError when the file is broken."""
    from gguf import GGUFReader  # noqa: PLC0415 only in the local extra

    try:
        fields = GGUFReader(path).fields
    except (ValueError, LookupError, ArithmeticError) as error:
        raise UserError(f"{path} is not a whole GGUF file ({error}); get it again") from error

    def value(key: str) -> Any:
        return fields[key].contents() if key in fields else None

    architecture = value("general.architecture")
    types = value("tokenizer.ggml.token_type") or []
    return GgufFacts(
        architecture=architecture,
        context=value(f"{architecture}.context_length"),
        tokens=tuple(value("tokenizer.ggml.tokens") or ()),
        control_ids=tuple(number for number, kind in enumerate(types) if kind == _CONTROL),
        eos_id=value("tokenizer.ggml.eos_token_id"),
        bos_id=value("tokenizer.ggml.bos_token_id"),
        pad_id=value("tokenizer.ggml.padding_token_id"),
        adds_bos=value("tokenizer.ggml.add_bos_token"),
        chat_template=value("tokenizer.chat_template"),
    )


def differences(tokenizer: Any, facts: GgufFacts) -> list[str]:
    """Where a transformers tokenizer and the GGUF file disagree, in words; empty when nowhere."""
    stated = (
        ("end token", tokenizer.eos_token_id, facts.eos_id),
        ("start token", tokenizer.bos_token_id, facts.bos_id),
        ("padding token", tokenizer.pad_token_id, facts.pad_id),
        ("chat template", tokenizer.chat_template, facts.chat_template),
    )
    found = [f"{what}: {ours!r}, not {theirs!r}" for what, ours, theirs in stated if theirs not in (None, ours)]
    if facts.adds_bos is not None:
        adds = tokenizer("a")["input_ids"][:1] == [facts.bos_id]
        if adds != facts.adds_bos:
            found.append(f"start token added: {adds}, not {facts.adds_bos}")
    other = [
        number
        for number, ours in enumerate(tokenizer.convert_ids_to_tokens(range(len(facts.tokens))))
        # SentencePiece writes a space as U+2581; GGUF files have either.
        if ours.replace("\u2581", " ") != facts.tokens[number].replace("\u2581", " ")
    ]
    if other:
        found.append(f"{len(other)} tokens are spelt otherwise, the first is {other[0]}")
    split = [
        facts.tokens[number]
        for number in facts.control_ids
        if tokenizer.encode(facts.tokens[number], add_special_tokens=False) != [number]
    ]
    if split:
        found.append(f"markers that are not one token: {', '.join(split[:5])}")
    return found
