"""Chats and answers as token ids: what serving asks and what training learns from are the same tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from medner.agents.engines.local.vocabulary import Vocabulary
from medner.agents.prompts.messages import Message
from medner.core.errors import UserError

#: Stands on both sides of a message's number where the message itself is kept out of the chat template.
_PLACE = "\ue1a7"
_HELD = re.compile(f"{_PLACE}([0-9]+){_PLACE}")


class ChatTokens:
    """Writes chats and answers with a tokenizer.

    What looks like a control token inside a message or an answer stays plain text: a note that holds ``<|im_end|>``
    must not be able to end its own turn. To make a vocabulary takes long, so one object is for many chats.
    UserError when the tokenizer has no chat template.
    """

    def __init__(self, tokenizer: Any, vocabulary: Vocabulary | None = None) -> None:
        if not tokenizer.chat_template:
            raise UserError(
                "this tokenizer has no chat template; take the instruction-tuned (chat) variant of the model"
            )
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary or Vocabulary(tokenizer, frozenset())

    def prompt(self, messages: Sequence[Message], *, before_last: bool = False) -> list[int]:
        """The tokens of a chat, ready for the answer, or those before its last message.

        Messages with control strings are left out of the template and put in afterwards.
        """
        last = len(messages) - 1
        chat = [message.as_dict() for message in messages]
        for number, message in enumerate(messages):
            if (before_last and number == last) or _PLACE in message.content or self._controls(message.content):
                chat[number]["content"] = f"{_PLACE}{number}{_PLACE}"
        rendered = str(self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
        ids: list[int] = []
        for place, part in enumerate(_HELD.split(rendered)):
            if place % 2 == 0:
                ids += self._read(part)
            elif before_last and int(part) == last:
                return ids
            else:
                ids += self.vocabulary.encode(messages[int(part)].content)
        return [] if before_last else ids

    def answer(self, text: str) -> list[int]:
        """The tokens of an answer, its end not included."""
        return self.vocabulary.encode(text) if self._controls(text) else self._read(text)

    def _read(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _controls(self, text: str) -> bool:
        return any(string in text for string in self.vocabulary.control_strings)
