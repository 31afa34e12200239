"""What an annotation run is made of: label set, model, taggers, filter, judge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medner.core.choices import DEFAULT_LABELS, DEFAULT_MODEL
from medner.core.errors import BadInputError
from medner.core.labels import LabelSet, load_label_set
from medner.core.plugins import is_plugin
from medner.core.validation import complaint
from medner.service.config.cards import AsText, FilterKind, OrPlugin, StyleName, TaggerKind
from medner.service.config.judges import JudgeConfig
from medner.store.models import looks_like_path

#: The number formats by name: eight-bit integers, bfloat16, half precision, single precision.
DtypeName = Literal["auto", "int8", "bf16", "f16", "f32"]


class TaggerConfig(BaseModel):
    """A tagger: its strategy, the wording of its prompt, how many examples it is shown, its adapter.

    ``span`` is a tagger that scores spans; it has no prompt, and always an adapter. ``served`` is the model name it
    has on vLLM servers, where that is another one than :func:`medner.service.build.server_names.served_names` gives.
    ``said`` is a file of `medner annotate`: the tagger's answers in it are taken, and no model is asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1)
    strategy: Annotated[TaggerKind, OrPlugin, AsText]
    style: StyleName = "full"
    shots: int = Field(default=0, ge=0, le=100)
    adapter: Path | None = None
    constrained: bool = True
    served: str | None = Field(default=None, min_length=1)
    said: Path | None = None

    @model_validator(mode="after")
    def _span_is_trained(self) -> TaggerConfig:
        if is_plugin(self.strategy) and self.adapter is not None:
            raise ValueError(f"adapter: a plugin has none; write what it needs behind its name, {self.strategy}:FILE")
        if self.strategy == "span" and self.adapter is None:
            raise ValueError("adapter: a span tagger needs the folder that medner train span wrote")
        return self


class FilterConfig(BaseModel):
    """A filter: candidates whose probability of being right is under ``threshold`` are dropped.

    ``adapter`` is the folder that `medner train filter` wrote; only ``llm-causal`` can do without, on the base model
    as it is. ``threshold`` None is that of the folder's card, or 0.5. ``exported`` is the folder that `medner export`
    made of an llm-cls filter: it then runs on a vLLM server, without one in this process. ``served`` is the name it has
    on servers, where that is another one than :func:`medner.service.build.server_names.served_names` gives.

    ``span`` is no model of its own: the mean of what the span taggers of the configuration think of each candidate. It
    drops nothing without a threshold, but gives a judge by scores something to judge by.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Annotated[FilterKind | Literal["span"], OrPlugin, AsText] = "llm-causal"
    threshold: float | None = Field(default=None, ge=0, le=1)
    adapter: Path | None = None
    exported: Path | None = None
    served: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _is_trained(self) -> FilterConfig:
        if self.exported is not None and self.kind != "llm-cls":
            raise ValueError(f"exported: only an llm-cls filter is exported for a server, {self.kind} is not")
        if self.kind == "span" and self.adapter is not None:
            raise ValueError("adapter: the filter span is made of the span taggers; it has no adapter of its own")
        if is_plugin(self.kind):
            if self.adapter is not None or self.threshold is not None:
                raise ValueError("threshold: a plugin has its own; adapter: write it behind its name, plugin:NAME:FILE")
            return self
        if self.kind not in ("llm-causal", "span") and self.adapter is None and self.exported is None:
            raise ValueError(f"adapter: {self.kind} needs the folder that medner train filter wrote")
        return self

    def in_words(self) -> str:
        """The filter in a few words."""
        if is_plugin(self.kind):
            return self.kind
        if self.kind == "span":
            return f"span, threshold {self.threshold or 0:g}"
        trained = self.adapter or self.exported
        tuned = "tuned" if trained else "untuned"
        least = self.threshold if self.threshold is not None or trained else 0.5
        return f"{self.kind}, {tuned}, threshold " + ("of its card" if least is None else f"{least:g}")


class ServerConfig(BaseModel):
    """A vLLM server: its address, how many requests it gets at a time, which environment variable holds its key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str = Field(pattern=r"^https?://[^/\s]+(/v1)?/?$")
    concurrency: int = Field(default=32, ge=1, le=1_024)
    key_env: str | None = None


class EngineConfig(BaseModel):
    """What runs the generating models: this process, or vLLM servers, each with ``attempts`` of ``timeout_s``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["local", "vllm"] = "local"
    servers: tuple[ServerConfig, ...] = ()
    timeout_s: float = Field(default=120, gt=0, le=86_400)
    attempts: int = Field(default=4, ge=1, le=20)

    @model_validator(mode="after")
    def _servers_fit(self) -> EngineConfig:
        if self.kind == "vllm" and not self.servers:
            raise ValueError('servers: engine vllm needs at least one, servers = [{url = "http://127.0.0.1:8101"}]')
        if self.kind == "local" and self.servers:
            raise ValueError('kind: servers are for kind = "vllm"; the local engine has none')
        return self


class ExemplarsConfig(BaseModel):
    """The judge's exemplars out of a folder that `medner exemplars build` wrote.

    ``each`` K-Means exemplars a type, then the ``nearest`` entities to the region. ``embedder`` is the
    sentence-transformers model that the index was made with; None where it was the base model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    folder: Path
    each: int = Field(default=5, ge=0, le=1_000)
    nearest: int = Field(default=0, ge=0, le=1_000)
    embedder: Path | None = None


class Configuration(BaseModel):
    """Everything that decides how a text is annotated.

    ``labels`` and ``model`` are a name that medner knows, or a path. ``concurrency`` sentences are under way at a
    time, ``max_rows`` of their requests in one forward pass; neither changes an answer. ``dtype`` is the number format
    of models in this process; ``auto`` is what the machine computes fastest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    labels: str = DEFAULT_LABELS
    model: str = DEFAULT_MODEL
    taggers: tuple[TaggerConfig, ...] = Field(min_length=1)
    filter: FilterConfig | None = None
    judge: JudgeConfig = JudgeConfig()
    exemplars: ExemplarsConfig | None = None
    engine: EngineConfig = EngineConfig()
    min_taggers: int = Field(default=1, ge=1)
    max_chars: int = Field(default=256, ge=8, le=8_192)
    join_lines: bool = False
    concurrency: int = Field(default=16, ge=1, le=1_024)
    max_rows: int = Field(default=8, ge=1, le=256)
    dtype: DtypeName = "auto"

    @model_validator(mode="after")
    def _span_filter_has_taggers(self) -> Configuration:
        if self.filter is None or self.filter.kind != "span":
            return self
        spans = [tagger for tagger in self.taggers if tagger.strategy == "span"]
        if not spans:
            raise ValueError("filter.kind: the filter span is made of the span taggers, and none is configured")
        if recorded := [tagger.name for tagger in spans if tagger.said is not None]:
            raise ValueError(
                f"filter.kind: the filter span asks the span taggers, and the answers of {', '.join(recorded)} are "
                "recorded (said): take another filter or none, and a judge that needs none"
            )
        return self

    @model_validator(mode="after")
    def _exported_filter_has_servers(self) -> Configuration:
        if self.filter is not None and self.filter.exported is not None and self.engine.kind != "vllm":
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
            if judge.kind == "best-tagger" and judge.tagger not in (None, *names):
                raise ValueError(f"judge.tagger: best-tagger needs the name of a tagger: {', '.join(names)}")
        if self.judge.kind == "filter-score" and self.filter is None:
            raise ValueError(
                "judge.kind: filter-score needs a filter, and none is configured; add one or take another judge"
            )
        return self

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
        return tuple(tagger for tagger in self.taggers if tagger.said is None)

    @property
    def followed(self) -> str | None:
        """The tagger that the judge follows, if it follows one."""
        return (self.judge.tagger or self.taggers[0].name) if self.judge.kind == "best-tagger" else None

    @property
    def untuned(self) -> tuple[str, ...]:
        """The names of the taggers that run on the base model alone, without a tuned adapter."""
        return tuple(one.name for one in self.taggers if one.adapter is None and not is_plugin(one.strategy))

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
        return {
            "labels": self.labels,
            "model": self.model,
            "taggers": ", ".join(_in_words(tagger) for tagger in self.taggers),
            "filter": "off" if chosen is None else chosen.in_words(),
            "judge": self.judge.in_words(self.followed),
            "engine": self.engine.kind,
        }


def _in_words(tagger: TaggerConfig) -> str:
    tuned = "untuned" if tagger.adapter is None else "tuned"
    if tagger.said is not None:
        return f"{tagger.name} (as in {tagger.said.name}, {tuned})"
    if is_plugin(tagger.strategy):
        return f"{tagger.name} ({tagger.strategy})"
    if tagger.strategy == "span":
        return f"{tagger.name} (span, {tuned})"
    return f"{tagger.name} ({tagger.strategy}, {tagger.style}, {tagger.shots} examples, {tuned})"


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

_FIELDS: dict[str, type[BaseModel]] = {
    "taggers": TaggerConfig,
    "filter": FilterConfig,
    "judge": JudgeConfig,
    "exemplars": ExemplarsConfig,
    "engine": EngineConfig,
}


def validated(data: dict[str, Any], *, where: Path | str) -> Configuration:
    """The configuration of plain data; BadInputError with the key and the allowed values."""
    try:
        return Configuration.model_validate(data)
    except ValidationError as error:
        reason, key = complaint(error, Configuration, _FIELDS)
        raise BadInputError(reason, path=where, key=key) from error


def is_path(name: str) -> bool:
    """Whether a model or label set is meant by its path, not by its name."""
    return looks_like_path(name) or name.endswith(".toml")
