"""A kind of tagger and a kind of filter as a file of their own and a row each; run as a program by test_new_kind.py.

Prints what each place that reads kinds made of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

from medner.service.config.filters import KINDS as FILTER_KINDS
from medner.service.config.filters.filter import TrainedFilterConfig
from medner.service.config.taggers import KINDS as TAGGER_KINDS
from medner.service.config.taggers.tagger import TaggerConfig


class DictionaryTaggerConfig(TaggerConfig):
    """A tagger that looks words up, in a folder with a card."""

    strategy: Literal["dictionary"] = "dictionary"
    adapter: Path
    longest: int = 4
    #: It runs without a base model.
    asks_model: ClassVar[bool] = False

    @property
    def folder(self) -> Path:
        """Where its words are."""
        return self.adapter

    @classmethod
    def from_words(cls, words: str) -> dict[str, Any] | None:
        """dictionary:FOLDER."""
        _, colon, folder = words.partition(":")
        return {"name": "words", "strategy": "dictionary", "adapter": folder} if colon and folder else None

    @classmethod
    def words(cls) -> str:
        """The form."""
        return "dictionary:FOLDER"

    def manner(self) -> str:
        """The kind."""
        return "dictionary"


class WordFilterConfig(TrainedFilterConfig):
    """A filter of words, in a folder with a card."""

    fits_one_base: ClassVar[bool] = False
    kind: Literal["words"] = "words"


# The two rows.
TAGGER_KINDS["dictionary"] = DictionaryTaggerConfig  # type: ignore[index]
FILTER_KINDS["words"] = WordFilterConfig  # type: ignore[index]


def main(folder: Path) -> None:
    """Uses the kinds wherever kinds are named."""
    from medner.core.errors import UserError
    from medner.evaluation.paper.manifest import FilterEntry, TaggerEntry
    from medner.service.config.cards import AdapterCard, FilterCard, adapter_card, is_filter, write_card
    from medner.service.config.configuration import validated
    from medner.service.config.files import load_configuration
    from medner.service.config.fingerprint import fingerprint
    from medner.service.config.frozen import freeze, thaw
    from medner.service.config.options import Overrides, configured
    from medner.service.config.schema import configuration_schema

    tagger, filtering = folder / "tagger", folder / "filter"
    for made in (tagger, filtering):
        made.mkdir()
    base = "qwen2.5-coder-0.5b-instruct"
    write_card(tagger, AdapterCard(name="d", base=base, labels="cmeee-v2", strategy="dictionary"), {})
    card = FilterCard(name="f", kind="words", base=base, labels="cmeee-v2", threshold=0.5, temperature=1)
    write_card(filtering, card, {})
    file = folder / "c.toml"
    text = 'taggers = [{name = "d", strategy = "dictionary", adapter = "tagger", longest = 3}]\n'
    file.write_text(text + '[filter]\nkind = "words"\nadapter = "filter"\n', encoding="utf-8")
    loaded = load_configuration(file)
    chosen = configured(Overrides(taggers=str(tagger), judge="hard-vote", filter=str(filtering)))
    try:
        configured(Overrides(taggers="nothing:x"))
    except UserError as error:
        refusal = str(error)
    sys.stdout.write(
        json.dumps(
            {
                "card": adapter_card(tagger).strategy,
                "is_filter": is_filter(filtering),
                "configuration": loaded.described()["taggers"],
                "thawed": thaw(freeze(loaded)) == loaded,
                "fingerprint": len(fingerprint(loaded)),
                "longest": validated(loaded.model_dump(), where="again").model_dump()["taggers"][0]["longest"],
                "option": [chosen.taggers[0].name, chosen.described()["filter"]],
                "words": configured(Overrides(taggers=f"dictionary:{tagger}", judge="hard-vote")).taggers[0].name,
                "refusal": refusal,
                "schema": configuration_schema(),
                "report": [
                    TaggerEntry(name="a", strategy="dictionary", file=file).strategy,
                    FilterEntry(kind="words", of="a", file=file).kind,
                ],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
