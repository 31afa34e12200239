"""What an annotation run is made of: label set, model, taggers, filter, judge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import BadInputError
from medner.core.labels import LabelSet, load_label_set
from medner.core.validation import StrictModel, complaint
from medner.core.wider_conflicts import DISAGREEMENTS, WiderConflicts
from medner.service.config.agent import AgentConfig
from medner.service.config.bases import settled_base
from medner.service.config.engine import ENGINES, EngineConfig, LocalEngineConfig
from medner.service.config.filters import FILTERS, FilterConfig
from medner.service.config.judges import JUDGES, BestTaggerConfig, JudgeConfig, settled_judge
from medner.service.config.retired import retired_note
from medner.service.config.taggers import TAGGERS, TaggerConfig
from medner.store.models import looks_like_path

#: The number formats by name: eight-bit integers, bfloat16, half precision, single precision.
DtypeName = Literal["auto", "int8", "bf16", "f16", "f32"]


class ExemplarsConfig(StrictModel):
    """The judge's exemplars out of a folder that `medner exemplars build` wrote.

    ``each`` K-Means exemplars a type, then the ``nearest`` entities to the region. ``embedder`` is the
    sentence-transformers model that the index was made with; None where it was the base model.
    """

    folder: Path
    each: int = Field(default=5, ge=0, le=1_000)
    nearest: int = Field(default=0, ge=0, le=1_000)
    embedder: Path | None = None


class ConflictsConfig(StrictModel):
    """What goes before the judge beside the taggers' disagreements.

    ``doubtful``: an entity of all taggers whose probability is below this. ``maybe``: an entity of no tagger whose mean
    probability over the span taggers is at least this. Of each at most ``most`` a sentence.
    """

    doubtful: float | None = Field(default=None, gt=0, le=1)
    maybe: float | None = Field(default=None, ge=0.01, lt=1)
    most: int = Field(default=8, ge=1, le=100)

    @model_validator(mode="after")
    def _asks_something(self) -> ConflictsConfig:
        if self.doubtful is None and self.maybe is None:
            raise ValueError("give doubtful, maybe or both, each a probability; or leave [conflicts] out")
        return self

    def in_words(self) -> str:
        """The bounds in a few words."""
        kinds = [] if self.doubtful is None else [f"doubtful below {self.doubtful:g}"]
        kinds += [] if self.maybe is None else [f"maybe from {self.maybe:g}"]
        return f"{', '.join(kinds)}, at most {self.most} of each a sentence"


class Configuration(StrictModel):
    """Everything that decides how a text is annotated.

    ``labels`` and ``model`` are a name that medner knows, or a path. ``concurrency`` sentences are under way at a
    time, ``max_rows`` of their requests in one forward pass; neither changes an answer. ``dtype`` is the number format
    of models in this process; ``auto`` is what the machine computes fastest.
    """

    labels: str = DEFAULT_LABELS
    model: str = DEFAULT_MODEL
    taggers: tuple[Annotated[TaggerConfig, TAGGERS], ...] = Field(min_length=1)
    filter: Annotated[FilterConfig, FILTERS] | None = None
    judge: Annotated[JudgeConfig, JUDGES] = BestTaggerConfig()
    conflicts: ConflictsConfig | None = None
    exemplars: ExemplarsConfig | None = None
    engine: Annotated[EngineConfig, ENGINES] = LocalEngineConfig()
    min_taggers: int = Field(default=1, ge=1)
    max_chars: int = Field(default=256, ge=8, le=8_192)
    join_lines: bool = False
    concurrency: int = Field(default=16, ge=1, le=1_024)
    max_rows: int = Field(default=16, ge=1, le=256)
    dtype: DtypeName = "auto"

    @model_validator(mode="after")
    def _span_filter_has_taggers(self) -> Configuration:
        if self.filter is None or not self.filter.is_of_span_taggers:
            return self
        spans = [tagger for tagger in self.taggers if tagger.scores_spans]
        if not spans:
            raise ValueError("filter.kind: the filter span is made of the span taggers, and none is configured")
        if unknown := sorted(set(self.filter.named_taggers) - {tagger.name for tagger in spans}):
            raise ValueError(
                f"filter.weights: no span tagger {', '.join(unknown)} is configured; there are "
                f"{', '.join(tagger.name for tagger in spans)}"
            )
        if recorded := [tagger.name for tagger in spans if tagger.answers is not None]:
            raise ValueError(
                f"filter.kind: the filter span asks the span taggers, and the answers of {', '.join(recorded)} are "
                "recorded (answers): take another filter or none, and a judge that needs none"
            )
        return self

    @model_validator(mode="after")
    def _exported_filter_has_servers(self) -> Configuration:
        if self.filter is not None and self.filter.exported_folder is not None and self.engine.is_local:
            raise ValueError('filter.exported: runs on a vLLM server; set [engine] kind = "vllm", or name its adapter')
        return self

    @model_validator(mode="after")
    def _taggers_fit(self) -> Configuration:
        names = [tagger.name for tagger in self.taggers]
        if len(set(names)) < len(names):
            raise ValueError("taggers: every tagger needs a name of its own")
        if self.min_taggers > len(names):
            raise ValueError(f"min_taggers: must be at most {len(names)}, the number of taggers")
        for judge in self.judge.in_order:
            followed = judge.follows(names[0])
            if followed not in (None, *names):
                note = retired_note(self.labels, followed)
                raise ValueError(
                    f"judge.tagger: best-tagger needs the name of a tagger: {', '.join(names)}"
                    + (f"; {note}" if note else "")
                )
        if self.judge.needs_filter and self.filter is None:
            raise ValueError(
                f"judge.kind: {self.judge.kind} needs a filter, and none is configured; add one or take another judge"
            )
        return self

    @model_validator(mode="after")
    def _conflicts_can_be_judged(self) -> Configuration:
        if self.conflicts is None:
            return self
        if self.judge.only_counts_votes:
            raise ValueError(
                f"conflicts: the judge {self.judge.kind} goes by who gave an entity, so it cannot use doubtful and "
                "maybe; take evidence, filter-score, trained, select or rewrite, or leave [conflicts] out"
            )
        if self.filter is None:
            raise ValueError("conflicts: needs the probabilities of a filter, and none is configured; add [filter]")
        if self.conflicts.maybe is not None and not self.filter.is_of_span_taggers:
            raise ValueError(
                f"conflicts.maybe: needs the filter span, which knows what no tagger gave; {self.filter.kind} does not"
            )
        return self

    @property
    def wider_conflicts(self) -> WiderConflicts:
        """What conflict detection disputes beside what the taggers do."""
        asked = self.conflicts
        return DISAGREEMENTS if asked is None else WiderConflicts(asked.doubtful, asked.maybe, asked.most)

    @cached_property
    def label_set(self) -> LabelSet:
        """The label set, read once. UserError when it is not to be had."""
        return load_label_set(self.labels)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Configuration:
        """A copy with some keys changed; its label set is read again where that key is."""
        copied = super().model_copy(update=update, deep=deep)
        if update and "labels" in update:
            copied.__dict__.pop("label_set", None)
        return copied

    @property
    def asked(self) -> tuple[TaggerConfig, ...]:
        """The taggers whose models are asked; the others' answers come from files."""
        return tuple(tagger for tagger in self.taggers if tagger.answers is None)

    @property
    def bases(self) -> tuple[str, ...]:
        """The base models that taggers and judges name beside ``model``, each once."""
        own = [agent.own_base for agent in (*self.asked, *self.judge.in_order)]
        return tuple(dict.fromkeys(base for base in own if base is not None))

    @property
    def spans(self) -> tuple[AgentConfig, ...]:
        """The taggers and judges that are made of a span tagger, wherever it runs."""
        agents: tuple[AgentConfig, ...] = (*self.asked, *self.judge.in_order)
        return tuple(agent for agent in agents if agent.span_folder is not None)

    @property
    def served_spans(self) -> tuple[AgentConfig, ...]:
        """Those whose span tagger runs on servers."""
        return self.spans if self._scores_on_servers else ()

    @property
    def served_candidates(self) -> Path | None:
        """The folder of the filter whose model scores candidates on servers; None where none does."""
        return None if self.filter is None or not self._scores_on_servers else self.filter.candidate_folder

    @property
    def _scores_on_servers(self) -> bool:
        vllm = self.engine.vllm
        return vllm is not None and vllm.span_taggers == "vllm"

    @property
    def followed(self) -> str | None:
        """The tagger that the judge follows, if it follows one."""
        return self.judge.follows(self.taggers[0].name)

    @property
    def untuned(self) -> tuple[str, ...]:
        """The names of the taggers that run on the base model alone, without a tuned adapter."""
        return tuple(tagger.name for tagger in self.taggers if tagger.is_untuned)

    def notice(self, language: str = "zh") -> str | None:
        """What a reader of the result must know about taggers that are not tuned; None when all are."""
        if not self.untuned:
            return None
        names = "、".join(self.untuned) if language == "zh" else ", ".join(self.untuned)
        which = "all" if len(self.untuned) == len(self.taggers) else "some"
        return _NOTICES[language][which].format(names=names)

    def described(self) -> dict[str, str]:
        """The configuration as a reader of a result sees it, each part in a few words."""
        chosen = self.filter
        described = {
            "labels": self.labels,
            "model": ", ".join((self.model, *self.bases)),
            "taggers": ", ".join(tagger.in_words() for tagger in self.taggers),
            "filter": "off" if chosen is None else chosen.in_words(),
            "judge": self.judge.in_words(self.followed),
            "engine": self.engine.kind,
        }
        return described if self.conflicts is None else {**described, "conflicts": self.conflicts.in_words()}


_NOTICES = {
    "zh": {
        "all": "所有标注模型（{names}）都未经微调：只是通用的小模型加少量示例，结果仅供试用，错漏很多。",
        "some": "标注模型 {names} 未经微调：只是通用的小模型加少量示例，它单独提出的实体不可靠。",
    },
    "en": {
        "all": "No tagger is tuned ({names}): they are a small general model shown a few examples. "
        "Expect many wrong and missing entities.",
        "some": "Taggers that are not tuned: {names}. They are a small general model shown a few examples; "
        "do not rely on what they alone propose.",
    },
}


def validated(data: dict[str, Any], *, where: Path | str) -> Configuration:
    """The configuration of plain data; BadInputError with the key and the allowed values."""
    try:
        return with_own_bases(Configuration.model_validate(data))
    except ValidationError as error:
        reason, key = complaint(error)
        raise BadInputError(reason, path=where, key=key) from error


def with_own_bases(configuration: Configuration) -> Configuration:
    """The configuration, each tagger and judge with the base model that its card names, where that is another one."""
    model = configuration.model
    taggers = tuple(settled_base(tagger, model) for tagger in configuration.taggers)
    changed = {"taggers": taggers, "judge": settled_judge(configuration.judge, model, configuration.labels)}
    same = taggers == configuration.taggers and changed["judge"] == configuration.judge
    return configuration if same else configuration.model_copy(update=changed)


def is_path(name: str) -> bool:
    """Whether a model or label set is meant by its path, not by its name."""
    return looks_like_path(name) or name.endswith(".toml")


def by_name(base: str) -> str | None:
    """A base model's name, which cards can be compared with; None where it is given by its path."""
    return None if is_path(base) else base
