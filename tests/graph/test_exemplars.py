"""Exemplars on their way to the judge: asked for by type and region, and missed without harm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from medner.core.errors import ExternalError, UserError
from medner.core.records import Decision, Entity, Exemplar, Sentence, Span
from medner.graph import Deps, Pipeline

SENTENCE = Sentence("note#0", "患者颈部淋巴结肿大。", 0, "note")
WHOLE, PART = Entity(2, 9, "sym"), Entity(4, 9, "bod")


@dataclass
class Asked:
    """Gives one exemplar a type, or fails; keeps what it was asked."""

    error: Exception | None = None
    asked: list[tuple[str, Span, tuple[str, ...]]] = field(default_factory=list)

    async def exemplars(self, sentence: Sentence, region: Span, codes: Iterable[str]) -> tuple[Exemplar, ...]:
        self.asked.append((sentence.text, region, tuple(codes)))
        if self.error is not None:
            raise self.error
        return tuple(Exemplar(f"样例{code}", code) for code in self.asked[-1][2])


async def test_the_source_is_asked_for_the_types_at_stake(labels, scripted_tagger, scripted_judge) -> None:
    """Sentence, disputed region, and the types in the label set's order; the verdict keeps what was shown."""
    judge, _ = scripted_judge("1")
    source = Asked()
    taggers = (scripted_tagger("a", [WHOLE]), scripted_tagger("b", [PART]))
    annotation = await Pipeline(Deps(labels, taggers, judge, exemplars=source)).annotate_sentence(SENTENCE)
    assert source.asked == [(SENTENCE.text, Span(2, 9), ("sym", "bod"))]
    assert [one.text for one in annotation.verdicts[0].exemplars] == ["样例sym", "样例bod"]
    assert annotation.failures == ()


@pytest.mark.parametrize("error", [ExternalError("the engine is closed"), UserError("a prompt of 9 tokens")])
async def test_without_exemplars_the_judge_still_decides(labels, scripted_tagger, scripted_judge, error) -> None:
    """A look-up that fails is on record, and the verdict is the judge's own."""
    judge, engine = scripted_judge("1")
    taggers = (scripted_tagger("a", [WHOLE]), scripted_tagger("b", [PART]))
    annotation = await Pipeline(Deps(labels, taggers, judge, exemplars=Asked(error))).annotate_sentence(SENTENCE)
    assert len(engine.requests) == 1
    assert [item.decision for item in annotation.entities] == [Decision.JUDGED]
    assert annotation.verdicts[0].exemplars == ()
    assert [(one.stage, one.agent, one.message) for one in annotation.failures] == [("judge", "exemplars", str(error))]
