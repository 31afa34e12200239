"""Which files of a model's folder are taken: weights, configuration and tokenizer; never pickles, never code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from medner.core.errors import UserError

WEIGHTS = ".safetensors"
TAKEN = frozenset(
    {
        "added_tokens.json",
        "chat_template.jinja",
        "chat_template.json",
        "config.json",
        "generation_config.json",
        "merges.txt",
        "model.safetensors.index.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "vocab.json",
    }
)
CHUNK = 1 << 20


def is_taken(path: str) -> bool:
    """Whether a file belongs to the model; ``path`` is relative, and files in subfolders never do."""
    return "/" not in path and (path in TAKEN or path.endswith(WEIGHTS))


def check_complete(names: Iterable[str], *, where: str) -> None:
    """Raises UserError unless there are safetensors weights, a configuration and a tokenizer."""
    there = set(names)
    lacking = [
        what
        for what, present in (
            ("*.safetensors", any(name.endswith(WEIGHTS) for name in there)),
            ("config.json", "config.json" in there),
            (
                "a tokenizer (tokenizer.json, tokenizer.model or vocab.json)",
                bool(there & {"tokenizer.json", "tokenizer.model", "vocab.json"}),
            ),
        )
        if not present
    ]
    if lacking:
        raise UserError(
            f"{where} lacks {', '.join(lacking)}: it must hold a model in the safetensors layout "
            "(pickled weights and code are never taken) or be a .gguf file"
        )


def set_aside(path: Path) -> Path:
    """Renames a file that failed its check to ``*.bad``, so that it can be looked at and is never used."""
    bad = path.with_name(path.name + ".bad")
    path.replace(bad)
    return bad
