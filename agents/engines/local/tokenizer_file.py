"""A model's tokenizer by the tokenizers library alone: transformers is loaded only when a chat is to be written.

A span tagger needs a text's tokens and their bytes. transformers takes seconds to give them.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from medner.core.errors import UserError


class TokenizerFile:
    """What :class:`~medner.agents.engines.local.vocabulary.Vocabulary` asks a tokenizer of transformers for.

    Everything else is asked of that tokenizer itself, which is then loaded. UserError when the folder has none.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415  heavy

        self._folder = folder
        try:
            self.backend_tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the tokenizers library raises Exception itself
            first = str(error).partition("\n")[0]
            raise UserError(f"{folder}: its tokenizer cannot be loaded: {first}") from error
        self._settings: dict[str, Any] = {}
        settings = folder / "tokenizer_config.json"
        if settings.is_file():
            try:
                self._settings = json.loads(settings.read_text(encoding="utf-8"))
            except ValueError as error:
                raise UserError(f"{settings}: is no JSON") from error
        self.added_tokens_decoder: dict[int, Any] = dict(self.backend_tokenizer.get_added_tokens_decoder())

    @property
    def all_special_tokens(self) -> list[str]:
        """The control tokens that the settings name, and those that the tokenizer calls special."""
        named = [self._settings.get(f"{role}_token") for role in ("bos", "eos", "unk", "pad", "sep", "cls", "mask")]
        texts = [one.get("content") if isinstance(one, dict) else one for one in named]
        special = [token.content for token in self.added_tokens_decoder.values() if token.special]
        return list(dict.fromkeys([*filter(None, texts), *special]))

    @property
    def all_special_ids(self) -> list[int]:
        """Their numbers."""
        numbers = [self.backend_tokenizer.token_to_id(token) for token in self.all_special_tokens]
        return [number for number in numbers if number is not None]

    @property
    def eos_token_id(self) -> int | None:
        """The number of the token that ends a text."""
        token = self._settings.get("eos_token")
        text = token.get("content") if isinstance(token, dict) else token
        return None if text is None else self.backend_tokenizer.token_to_id(text)

    @property
    def chat_template(self) -> str | None:
        """The template that chats are written by; None when the folder has none."""
        file = self._folder / "chat_template.jinja"
        return file.read_text(encoding="utf-8") if file.is_file() else self._settings.get("chat_template")

    def get_vocab(self) -> dict[str, int]:
        """All tokens by their text."""
        return dict(self.backend_tokenizer.get_vocab(with_added_tokens=True))

    @cached_property
    def _whole(self) -> Any:
        from transformers import AutoTokenizer  # noqa: PLC0415  heavy

        from medner.agents.engines.local.loading import quiet  # noqa: PLC0415

        with quiet():
            return AutoTokenizer.from_pretrained(self._folder, local_files_only=True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._whole, name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._whole(*arguments, **options)
