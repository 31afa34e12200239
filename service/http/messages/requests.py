"""What comes in as JSON or in a query."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from medner.core.choices import JudgeFollow, TracePolicy
from medner.service.http.messages.strict import Strict
from medner.store.corpora import FORMATS
from medner.store.jobs import JobState, Priority

#: What a client calls a tagger, filter, judge or label set: a name, never a path.
NAME = r"^[A-Za-z0-9_一-鿿][A-Za-z0-9_一-鿿.:+-]*$"

#: A cursor is what an answer gave as ``next``: how many came before, or where the page before ended.
NUMBER_CURSOR = r"^[0-9]{1,15}$"
JOB_CURSOR = r"^[0-9]{1,15}:[!-~]{1,100}$"
#: The forms of results: two of medner's own, then every format that `medner convert` writes.
RESULT_FORMATS = (
    "entities",
    "full",
    *(name for name, one in FORMATS.items() if one.write_stream is not None or one.write_folder is not None),
)
#: A judge as a client may name it.
JUDGE = "^@$|" + NAME.replace("^", "^@?")


class DocumentBody(Strict):
    """A document: a note's text under an id of the client's. A line of a stream is one of these."""

    id: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1)


#: In a body, taggers may be a list as well.
_TaggerList = Annotated[
    str | None,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
]
#: What may be left out, but not be null.
_Text = Annotated[str | None, Field(min_length=1), WithJsonSchema({"type": "string", "minLength": 1})]
_Documents = Annotated[
    tuple[DocumentBody, ...] | None,
    Field(min_length=1),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/DocumentBody"}}),
]


class JobOptionNames(Strict):
    """What annotates. What is left out is as the server's configuration says."""

    labels: str | None = Field(default=None, pattern=NAME, description="A label set that GET /v1/labels lists.")
    taggers: str | None = Field(
        default=None, description="Names that GET /v1/labels lists, with commas between them, or STRATEGY:STYLE."
    )
    filter: str | None = Field(default=None, description="off, or a filter of GET /v1/labels; :THRESHOLD may follow.")
    judge: str | None = Field(default=None, pattern=JUDGE, description="hard-vote, best-tagger:NAME ..., @NAME")
    preset: str | None = Field(default=None, pattern=NAME, description="A preset that GET /v1/models lists.")

    @field_validator("taggers", mode="before")
    @classmethod
    def _joined(cls, value: Any) -> Any:
        names = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return ",".join(value) if names else value


class JobOptions(JobOptionNames):
    """How a job is done. What is left out is as the server's configuration says."""

    name: str = Field(default="", max_length=100)
    judge_follow: JudgeFollow = JudgeFollow.PINNED
    priority: Priority = Priority.NORMAL
    trace: TracePolicy = TracePolicy.CONFLICTS
    keep_days: float = Field(default=7, ge=0.01, le=365, description="How long results are kept after the end.")


class SubmitBody(JobOptions):
    """A job: its documents, and how it is done."""

    taggers: _TaggerList = None
    documents: tuple[DocumentBody, ...] = Field(min_length=1)


class ListQuery(Strict):
    """Which jobs are listed, the newest first: of a state, with a name that begins so; ``cursor`` goes on."""

    limit: int = Field(default=100, ge=1, le=1_000)
    cursor: str | None = Field(default=None, pattern=JOB_CURSOR)
    state: JobState | None = None
    name: str = Field(default="", max_length=100)


class ResultsQuery(Strict):
    """The form of results: entities alone, ``full`` as `medner annotate -o` writes it, or a format of `medner convert`.

    brat, which is a folder of files, comes as a ZIP file.
    """

    format: str = Field(default="entities", json_schema_extra={"enum": list(RESULT_FORMATS)})

    @field_validator("format")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in RESULT_FORMATS:
            raise ValueError(f"there is no format {value!r}; there are {', '.join(RESULT_FORMATS)}")
        return value


class DocumentsQuery(Strict):
    """Which documents of a job: with conflicts, fallbacks, abstentions or failures; with an entity or candidate of a
    type; with a conflict in which two taggers disagree (``taggers=a,b``)."""

    limit: int = Field(default=20, ge=1, le=200)
    cursor: str | None = Field(default=None, pattern=NUMBER_CURSOR)
    only: Literal["conflicts", "fallbacks", "abstained", "overruled", "failures"] | None = None
    document: str | None = Field(default=None, min_length=1, max_length=200, description="A document's id.")
    label: str | None = Field(default=None, min_length=1, max_length=100)
    taggers: str | None = Field(default=None, max_length=200, pattern=r"^[^\s,，][^,，]*[,，][^\s,，][^,，]*$")


class AnnotateBody(JobOptionNames):
    """Texts to annotate at once: one ``text``, or ``documents``. ``wait_s`` is how long the answer is waited for."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["text"]}, {"required": ["documents"]}]})

    taggers: _TaggerList = None
    text: _Text = None
    documents: _Documents = None
    wait_s: float = Field(default=20, ge=0, le=60)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if len({"text", "documents"} & self.model_fields_set) != 1 or (self.text or self.documents) is None:
            raise ValueError("give one text, or documents")
        return self


class PageQuery(Strict):
    """Which documents of a job a page shows, and the language it starts in."""

    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=20, ge=1, le=200)
    language: Literal["zh", "en"] = "zh"


class SessionBody(Strict):
    """An API key, for which a browser gets a session."""

    key: str = Field(min_length=1, max_length=200, repr=False)
