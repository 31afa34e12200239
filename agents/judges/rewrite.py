"""The rewrite judge (§3.3, step 4): an LLM writes the disputed stretch again in the symbol strategy.

It may correct a boundary. What it writes is read as a tagger's answer is: nothing that does not stand literally in
the sentence at that place can become an entity.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from itertools import combinations

from langchain_core.language_models import BaseChatModel

from medner.agents.judges.asking import Asking, as_text, final_part
from medner.agents.judges.judge import Case, abstention, verdict
from medner.agents.prompts.judge import NONE, UNSURE, judge_messages, types_at_stake
from medner.agents.prompts.messages import Message
from medner.agents.prompts.templates import Template, load_template
from medner.agents.strategies import CODECS
from medner.core.edges import trimmed_entities
from medner.core.errors import ExternalError, ModelOutputError
from medner.core.labels import LabelSet
from medner.core.nesting import Nesting
from medner.core.records import Entity, Rejection, Span, Verdict, in_order

#: How far a corrected boundary may lie outside the disputed stretch, in characters.
MARGIN = 4
_CODEC = CODECS["symbol"]
#: Slips that leave the rest of an answer as good as it was.
_HARMLESS = {Rejection.DUPLICATE, Rejection.EMPTY}


@dataclass(frozen=True, slots=True)
class RewriteJudge:
    """A chat model that writes the disputed stretch and a few characters around it again, with its entities.

    Of what it marks, what touches the disputed stretch counts: candidates are kept, others are added. What all
    taggers agreed on is not in question, whether it is written again or not.
    """

    chat: BaseChatModel
    name: str
    version: str = "1"
    template: Template = field(default_factory=lambda: load_template("rewrite"))
    may_abstain: bool = False
    asking: Asking | None = None

    async def judge(self, case: Case) -> Verdict:
        """The entities of the answer."""
        messages, stretch, labels = self._messages(case), stretch_of(case), _at_stake(case)
        part = case.sentence.text[stretch.start : stretch.end]
        began = time.perf_counter()
        try:
            asking = self.asking or Asking(self.chat, attempts=1)
            answer = await asking.answer(messages, self.template, _CODEC.graph(part, labels))
        except ExternalError as error:
            raise ExternalError(f"judge {self.name}: {error}") from error
        written = final_part(answer, self.template.answer_mark)
        if self.may_abstain and written.rstrip("。.") == UNSURE:
            decided = abstention(self, case, "the model is unsure")
        else:
            decided = self._read(case, written, answer)
        return replace(
            decided,
            prompt=as_text(messages),
            answer=answer,
            seconds=time.perf_counter() - began,
            exemplars=case.exemplars,
        )

    def prompt(self, case: Case) -> str:
        """The chat the model gets, as one text."""
        return as_text(self._messages(case))

    def _messages(self, case: Case) -> list[Message]:
        return judge_messages(
            self.template,
            case.sentence,
            (case.conflict,),
            case.labels,
            case.exemplars,
            stretch=stretch_of(case),
            may_abstain=self.may_abstain,
        )

    def _read(self, case: Case, written: str, answer: str) -> Verdict:
        stretch, region = stretch_of(case), case.conflict.region
        part = case.sentence.text[stretch.start : stretch.end]
        decoded = _CODEC.decode(part, "" if written.rstrip("。.") == NONE else written, _at_stake(case))
        refused = [one for one in decoded.rejected if one.reason not in _HARMLESS]
        if refused:
            raise ModelOutputError(f"cannot be read: {refused[0].reason.value} ({refused[0].detail})", raw=answer)
        # By the rule that the candidates were trimmed by; else the same entity would be dropped and added.
        entities = trimmed_entities(
            (entity.shifted(stretch.start) for entity in decoded.entities), case.sentence.text, case.labels.edges
        )
        agreed = set(case.conflict.context)
        found = [one for one in entities if one.span.overlaps(region) and one not in agreed]
        if _clashing([*found, *agreed], case.labels.nesting):
            raise ModelOutputError("marks entities that overlap where the label set forbids it", raw=answer)
        candidates = {candidate.entity for candidate in case.conflict.candidates}
        kept = verdict(self, case, candidates.intersection(found), mode=self.template.version)
        return replace(kept, added=in_order(one for one in found if one not in candidates))


def stretch_of(case: Case) -> Span:
    """What is written again: the disputed stretch, what is settled around it, and a few characters on either side."""
    spans = [case.conflict.region, *(entity.span for entity in case.conflict.context)]
    start = max(0, min(one.start for one in spans) - MARGIN)
    return Span(start, min(len(case.sentence.text), max(one.end for one in spans) + MARGIN))


def _at_stake(case: Case) -> LabelSet:
    """The label set with the types that some candidate or settled entity has."""
    codes = types_at_stake(case.conflict) | {entity.label for entity in case.conflict.context}
    return replace(case.labels, types=tuple(one for one in case.labels.types if one.code in codes))


def _clashing(entities: list[Entity], nesting: Nesting) -> bool:
    return any(nesting.forbids(one, other) for one, other in combinations(entities, 2))
