"""Taggers that write entities as text, each in one of four strategies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from medner.agents.prompts.tagger import STYLES, tagger_messages
from medner.agents.strategies import CODECS
from medner.core.validation import OneOf
from medner.service.config.bases import base_name
from medner.service.config.cards import StyleName
from medner.service.config.taggers.tagger import TaggerConfig
from medner.store.models import settled_base_model

if TYPE_CHECKING:
    from medner.agents.taggers.tagger import Tagger
    from medner.core.labels import LabelSet
    from medner.service.config.parts import Parts

#: How many examples an untuned tagger is shown; brief prompts are for tuned adapters.
_SHOTS = {"brief": 0}
_USUAL_SHOTS = 3
#: What a chat template adds to a prompt, in tokens; more than any seen.
_TEMPLATE = 64


class WritingTaggerConfig(TaggerConfig):
    """A tagger that writes: its strategy, the wording of its prompt, how many examples it is shown, its adapter.

    ``base`` is its base model, a name or a folder, where that is another one than the run's ``model``. ``served`` is
    the model name it has on vLLM servers, where that is another one than LABELS.NAME.
    """

    writes: ClassVar[bool] = True

    strategy: Annotated[str, OneOf(lambda: CODECS)]
    style: StyleName = "full"
    shots: int = Field(default=0, ge=0, le=100)
    adapter: Path | None = None
    base: str | None = Field(default=None, min_length=1)
    constrained: bool = True
    served: str | None = Field(default=None, min_length=1)

    @property
    def folder(self) -> Path | None:
        """The folder of its adapter; None for a tagger without."""
        return self.adapter

    @property
    def is_untuned(self) -> bool:
        """Whether it runs on the base model alone."""
        return self.adapter is None

    @classmethod
    def from_words(cls, words: str) -> dict[str, Any] | None:
        """The keys of STRATEGY:STYLE or STRATEGY:STYLE@BASE: a tagger without an adapter."""
        way, at, base = words.partition("@")
        strategy, _, style = way.partition(":")
        if strategy not in CODECS or style not in STYLES or (at and not base):
            return None
        name, shots = f"{strategy}-{style}", _SHOTS.get(style, _USUAL_SHOTS)
        keys = {"name": name, "strategy": strategy, "style": style, "shots": shots}
        if at:
            base = settled_base_model(base)
            keys |= {"name": f"{name}-{base_name(base)}", "base": base}
        return keys

    @classmethod
    def words(cls) -> str:
        """What :meth:`from_words` reads."""
        return (
            f"STRATEGY:STYLE, for example html:full (strategies: {', '.join(CODECS)}; styles: {', '.join(STYLES)}), "
            "with @BASE behind it for a base model of its own"
        )

    def served_name(self, labels: str) -> str | None:
        """The name of its adapter on servers."""
        return None if self.adapter is None else self.served or f"{labels}.{self.name}"

    def manner(self) -> str:
        """Strategy, style, examples, tuning."""
        return f"{self.strategy}, {self.style}, {self.shots} examples, {self.tuning}"

    def build(self, parts: Parts) -> Tagger:
        """The tagger on an engine that has its adapter."""
        from medner.agents.prompts.shots import load_shots  # noqa: PLC0415  configurations need no agents
        from medner.agents.taggers.tagger import GenerativeTagger  # noqa: PLC0415

        return GenerativeTagger(
            name=self.name,
            engine=parts.engine_of(self.base),
            codec=CODECS[self.strategy],
            labels=parts.labels,
            style=self.style,
            shots=load_shots(parts.labels)[: self.shots],
            adapter=None if self.adapter is None else parts.adapters[self.adapter],
            constrained=self.constrained,
        )

    def longest_request(self, labels: LabelSet, max_chars: int) -> int:
        """The most tokens that prompt and answer of a sentence usually take, by a token a character.

        The answer is taken to fill half of what it may have at most: every type present is rare.
        """
        from medner.agents.prompts.shots import load_shots  # noqa: PLC0415  configurations need no agents
        from medner.agents.taggers.tagger import answer_cap  # noqa: PLC0415

        codec, shots = CODECS[self.strategy], load_shots(labels)[: self.shots]
        sentence = "症" * max_chars
        messages = tagger_messages(self.style, codec, labels, sentence, shots)
        prompt = sum(len(message.content) + 8 for message in messages) + _TEMPLATE
        return prompt + (answer_cap(sentence, labels) + len(codec.encode(sentence, (), labels))) // 2
