"""Checkpoints as JSON of medner's own records. Nothing else can be written, and reading runs no code of the data's.

A value carries the name of its type: ``{"t": "list:TaggerOutput", "v": [...]}``. Only the types in ``KNOWN`` have
one. LangGraph's own serializer names classes to import and is a hundred times slower on these records.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from langgraph.types import Send
from pydantic import TypeAdapter

from medner.core.records import (
    Annotation,
    Candidate,
    Conflict,
    Failure,
    FilterDrop,
    Sentence,
    TaggerOutput,
    Verdict,
)

_RECORDS: Final = (Sentence, TaggerOutput, Failure, Candidate, FilterDrop, Conflict, Verdict, Annotation)
KNOWN: Final[Mapping[str, TypeAdapter[Any]]] = {
    **{one.__name__: TypeAdapter(one) for one in _RECORDS},
    **{f"list:{one.__name__}": TypeAdapter(list[one]) for one in _RECORDS},  # type: ignore[valid-type]
}
_PLAIN: Final = "plain"
_FORM: Final = "medner-json-1"
_FORM_PACKED: Final = "medner-json-1+zlib"
_CHECKPOINT_KEYS: Final = {"channel_values", "channel_versions", "versions_seen"}


class RecordSerializer:
    """LangGraph's serializer protocol for states of the sentence graph. ``packed``: zlib, a third to a fifth."""

    def __init__(self, *, packed: bool = True) -> None:
        self._packed = packed

    def dumps_typed(self, value: Any) -> tuple[str, bytes]:
        """The name of the form, and the bytes; TypeError for what is not made of records."""
        data = _dumped(value)
        return (_FORM_PACKED, zlib.compress(data, 1)) if self._packed else (_FORM, data)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """What was dumped; ValueError for any other form."""
        form, content = data
        if form not in (_FORM, _FORM_PACKED):
            raise ValueError(f"a trace in another form ({form}), which this version of medner does not read")
        return _loaded(json.loads(zlib.decompress(content) if form == _FORM_PACKED else content))


def _dumped(value: Any) -> bytes:
    if isinstance(value, Mapping) and value.keys() >= _CHECKPOINT_KEYS:
        values = b",".join(_key(name) + _dumped(one) for name, one in value["channel_values"].items())
        rest = {key: one for key, one in value.items() if key != "channel_values"}
        return b'{"t":"checkpoint","v":{' + values + b'},"rest":' + _json(rest) + b"}"
    if isinstance(value, Mapping) and any(type(one).__name__ in KNOWN for one in value.values()):
        return b'{"t":"map","v":{' + b",".join(_key(name) + _dumped(one) for name, one in value.items()) + b"}}"
    if isinstance(value, Send):
        return b'{"t":"send","node":' + _json(value.node) + b',"v":' + _dumped(value.arg) + b"}"
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], Send):
        return b'{"t":"list","v":[' + b",".join(map(_dumped, value)) + b"]}"
    first = value[0] if isinstance(value, list) and value else value
    name = type(first).__name__ if first is value else f"list:{type(first).__name__}"
    if name in KNOWN:
        return b'{"t":"' + name.encode() + b'","v":' + KNOWN[name].dump_json(value) + b"}"
    return b'{"t":"plain","v":' + _json(value) + b"}"


def _key(name: str) -> bytes:
    return _json(name) + b":"


def _json(value: Any) -> bytes:
    # Refuses what is not plain data, so that no foreign object gets in.
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")


def _loaded(data: Mapping[str, Any]) -> Any:
    read = _READERS.get(data["t"])
    if read is not None:
        return read(data)
    if data["t"] not in KNOWN:
        raise ValueError(f"a trace that holds something unknown ({data['t']!r})")
    return KNOWN[data["t"]].validate_python(data["v"])


def _mapped(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _loaded(one) for name, one in data["v"].items()}


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    _PLAIN: lambda data: data["v"],
    "checkpoint": lambda data: {**data["rest"], "channel_values": _mapped(data)},
    "map": _mapped,
    "list": lambda data: [_loaded(one) for one in data["v"]],
    "send": lambda data: Send(data["node"], _loaded(data["v"])),
}
