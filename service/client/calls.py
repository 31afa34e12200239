"""Requests as data, and programs of several requests: what both connections, with and without asyncio, carry out.

A program is a generator. It yields what is to be done (a :class:`Call`, a :class:`Pause`, or an :class:`Item` for its
user) and gets the answer back, so that each operation is written once::

    def newest() -> Steps[str]:
        page = yield from ask(Call("GET", "/v1/jobs", read_json(JobsMessage), {"limit": 1}))
        return page.jobs[0].id
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from medner.core.errors import ExternalError, MednerError, UserError
from medner.core.validation import complaint

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


class Message(BaseModel):
    """An answer of the server. Keys of a newer server are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, whole."""

    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how its answer is read.

    ``query`` values None are left out. ``body`` becomes JSON; ``upload`` gives pieces of a body of JSON lines.
    ``timeout_s`` None: the connection's.
    """

    method: str
    path: str
    read: Callable[[Answer], T]
    query: Mapping[str, object] = field(default_factory=dict)
    body: object = None
    upload: Iterator[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method == "GET"


@dataclass(frozen=True, slots=True)
class LineCall(Generic[T]):
    """A request whose answer is read line by line as it comes. ``what`` is its name in messages."""

    path: str
    read: Callable[[bytes], T]
    what: str
    query: Mapping[str, object] = field(default_factory=dict)

    def request(self) -> Call[None]:
        """The request alone."""
        return Call("GET", self.path, read_nothing, self.query)


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds without a request."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """One of the things that an iterating program gives."""

    value: T


Steps: TypeAlias = Generator["Call[Any] | Pause", Any, T]
Items: TypeAlias = Generator["Call[Any] | Pause | Item[T]", Any, None]


def ask(call: Call[T]) -> Steps[T]:
    """The answer to one request."""
    answer: T = yield call
    return answer


def last_of(items: Items[T]) -> Steps[T]:
    """The last thing that an iterating program gives."""
    last: list[T] = []
    go: Callable[[Any], Any] = items.send
    value: Any = None
    try:
        while True:
            move = go(value)
            go, value = items.send, None
            if isinstance(move, Item):
                last = [move.value]
                continue
            try:
                value = yield move
            except MednerError as error:  # the program may have another way
                go, value = items.throw, error
    except StopIteration:
        return last[0]


def path_of(*parts: str) -> str:
    """A path below /v1, its parts escaped. UserError for a part that can be none."""
    for part in parts:
        if part in ("", ".", ".."):
            raise UserError(f"{part!r} is no name")
    try:
        return "/v1/" + "/".join(quote(part, safe="") for part in parts)
    except UnicodeEncodeError as error:
        raise UserError("a name holds half a surrogate pair, which is no text") from error


def read_json(model: type[Model]) -> Callable[[Answer], Model]:
    """Reads an answer as a model."""

    def read(answer: Answer) -> Model:
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            raise unreadable(error) from error

    return read


def read_data(answer: Answer) -> dict[str, Any]:
    """An answer as plain data."""
    try:
        found: dict[str, Any] = _DATA.validate_json(answer.content)
    except ValidationError as error:
        raise unreadable(error) from error
    return found


def read_nothing(_: Answer) -> None:
    """Reads nothing."""


def unreadable(error: ValidationError) -> ExternalError:
    """The error of an answer that is none of this API. It repeats nothing of the answer."""
    reason, key = complaint(error)
    return ExternalError(
        f"the answer cannot be read: {key + ': ' if key else ''}{reason}; server and client may be of versions that "
        "do not fit"
    )


_DATA = TypeAdapter(dict[str, Any])
