"""What all kinds of judges have in common, and the table of kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from medner.core.errors import UserError
from medner.service.config.agent import AgentConfig
from medner.service.config.bases import settled_base
from medner.service.config.kinds import KindTable

if TYPE_CHECKING:
    from medner.agents.judges.judge import Judge
    from medner.service.config.parts import JudgeParts


def _rows() -> Mapping[str, type[JudgeConfig]]:
    from medner.service.config.judges import KINDS  # noqa: PLC0415  the kinds are made from this module

    return KINDS


#: What 0.1.0 wrote of every judge.
_WRITTEN: dict[str, Any] = {
    "name": None,
    "version": None,
    "kind": "best-tagger",
    "tagger": None,
    "least": 0.5,
    "adapter": None,
    "abstain": None,
    "model": None,
    "url": None,
    "key_env": None,
    "template": "direct",
    "joint": False,
    "may_abstain": False,
    "attempts": 3,
    "timeout_s": 120.0,
    "max_tokens": 1_024,
    "options": {},
    "fallback": (),
}
JUDGES: KindTable[JudgeConfig] = KindTable(lambda: JudgeConfig, _rows, usual="best-tagger", written=_WRITTEN)


class JudgeConfig(AgentConfig):
    """A judge of any kind. ``name`` and ``version`` are what verdicts call it, None: its rule or model, and a hash.

    ``fallback`` are the judges that step in where it cannot decide, in their order.
    """

    #: Whether it goes by the scores of a filter, so that there must be one.
    needs_filter: ClassVar[bool] = False
    #: Whether it looks at nothing but who gave an entity, so that it cannot question what all gave or none did.
    only_counts_votes: ClassVar[bool] = False
    #: Whether it is asked in words, and shown exemplars.
    chats: ClassVar[bool] = False
    #: Whether clients of the HTTP API may name it: one that reads a file, or sends text elsewhere, they may not.
    is_open_to_clients: ClassVar[bool] = False
    #: What may follow its kind, behind a colon, where a judge is given in words; nothing where it is empty.
    behind_colon: ClassVar[str] = ""
    table: ClassVar[KindTable[Any]] = JUDGES

    name: str | None = Field(default=None, min_length=1)
    version: str | None = None
    kind: str
    fallback: tuple[Annotated[JudgeConfig, JUDGES], ...] = ()

    @field_validator("fallback", mode="before")
    @classmethod
    def _fallback_in_words(cls, value: object) -> object:
        from medner.service.config.judges.in_words import read_judge  # noqa: PLC0415  made from this module

        if not isinstance(value, (list, tuple)):
            return value
        try:
            return [read_judge(one) if isinstance(one, str) else one for one in value]
        except UserError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _fallback_is_flat(self) -> Self:
        if any(judge.fallback for judge in self.fallback):
            raise ValueError("fallback: a judge that steps in has no fallback of its own; write all in one list")
        return self

    @classmethod
    def from_words(cls, words: str, rest: str) -> dict[str, Any]:
        """The keys that words give; ``rest`` is what follows the colon, or nothing. UserError where it does not fit."""
        del words, rest
        return {}

    @property
    def in_order(self) -> tuple[JudgeConfig, ...]:
        """The judge and those that step in for it."""
        return (self, *self.fallback)

    def placed(self, labels: str) -> Self:
        """The judge with what ships for a label set, where it needs a folder and names none. UserError without one."""
        del labels
        return self

    def check(self, labels: str) -> None:
        """UserError where its files are not there or are of another label set: said before a model is loaded."""
        del labels

    def base_of_card(self) -> str:
        """The base model that the card in its folder names; only asked of a judge that has a folder."""
        raise NotImplementedError

    def follows(self, first: str) -> str | None:
        """The tagger that it follows, if it follows one; ``first`` is the first of the run."""
        del first
        return None

    def plugins(self) -> Iterator[tuple[str, str]]:
        """The plugin it comes from, with its version, for fingerprints."""
        yield from ()

    def facts(self) -> dict[str, Any]:
        """What of it may change an answer, as 0.1.0 had it, its files and those that step in left out.

        Not where its server is, nor how often it is asked again.
        """
        facts = self.model_dump(mode="json", exclude={"fallback"})
        return {
            key: value
            for key, value in JUDGES.in_full(self, facts).items()
            if key not in ("url", "key_env", "attempts", "timeout_s", "fallback")
        }

    def in_words(self, followed: str | None = None) -> str:
        """The judge in a few words; ``followed`` is the tagger that it follows."""
        chain = "".join(f", then {judge.in_words()}" for judge in self.fallback)
        called = "" if self.name is None else f"{self.name}@{self.version or '?'}: "
        more = self.more(followed)
        return f"{called}{self.kind}{f':{more}' if more else ''}{self.manner()}{chain}"

    def more(self, followed: str | None) -> str | None:
        """What follows its kind behind a colon: a tagger, a model, a folder."""
        del followed
        return None

    def manner(self) -> str:
        """What follows in brackets."""
        return ""

    def goes_out_to(self) -> tuple[str, ...]:
        """Where sentences are sent beyond this machine: hosts, or providers whose servers LangChain knows."""
        return tuple(dict.fromkeys(filter(None, (judge.outside() for judge in self.in_order))))

    def outside(self) -> str | None:
        """Where it alone sends sentences beyond this machine."""
        return None

    def build(self, parts: JudgeParts, name: str | None, version: str) -> Judge:
        """The judge that runs. UserError when it cannot be made.

        ``name`` is what verdicts call it; None: after its rule or model, with ``version`` where the rule has none.
        """
        raise NotImplementedError


def settled_judge(judge: JudgeConfig, model: str, labels: str) -> JudgeConfig:
    """The judge and those that step in, as they are in a run with a base model and a label set.

    Each has its own base model where that is another than the run's ``model``, and the folder that ships where it
    names none. UserError where none ships.
    """
    fallback = tuple(settled_base(one.placed(labels), model) for one in judge.fallback)
    if fallback != judge.fallback:
        judge = judge.model_copy(update={"fallback": fallback})
    return settled_base(judge.placed(labels), model)
