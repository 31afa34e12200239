"""Checkpoints are written as medner's records and nothing else, and come back equal."""

from __future__ import annotations

import dataclasses
import json
import zlib
from typing import Any, get_type_hints

import pytest

from medner.core import records
from medner.core.records import Annotation, Sentence
from medner.graph.state import SentenceState
from medner.store.traces import TracePolicy
from medner.store.traces.serializer import KNOWN, RecordSerializer


@pytest.mark.parametrize("packed", [True, False])
def test_every_checkpoint_of_a_sentence_comes_back_equal(make_trace: Any, packed: bool) -> None:
    """All states of the graph, those before the taggers with their pending tasks included."""
    serializer = RecordSerializer(packed=packed)
    trace = make_trace(policy=TracePolicy.ALL)
    assert len(trace.snapshots) == 7
    for one in trace.snapshots:
        assert serializer.loads_typed(serializer.dumps_typed(dict(one.checkpoint))) == one.checkpoint


def test_the_graphs_state_is_made_of_known_records() -> None:
    """A channel that the serializer could not write would only show when its sentence is traced."""
    hints = get_type_hints(SentenceState)
    plain = {"timings", "scores"}  # scores are in no checkpoint (tests/graph/test_trimming.py)
    names = {name: str(hint) for name, hint in hints.items() if name not in plain}
    known = {adapter.removeprefix("list:") for adapter in KNOWN}
    for name, hint in names.items():
        assert any(record in hint for record in known), name


def test_a_foreign_object_is_refused() -> None:
    """Nothing is pickled: what is neither record nor plain data raises, wherever it stands."""

    @dataclasses.dataclass
    class Foreign:
        text: str

    for value in (Foreign("x"), {"channel": Foreign("x")}, [Foreign("x")], float("nan")):
        with pytest.raises((TypeError, ValueError)):
            RecordSerializer().dumps_typed(value)


@pytest.mark.parametrize("form", ["msgpack", "pickle", "json", "bytes"])
def test_other_forms_are_not_read(form: str) -> None:
    """A database row that claims to be a pickle is refused unread."""
    with pytest.raises(ValueError, match="another form"):
        RecordSerializer().loads_typed((form, b"cos\nsystem\n(S'true'\ntR."))


def test_an_unknown_type_is_not_imported() -> None:
    """The name of a type is looked up in a list, never in modules."""
    data = zlib.compress(json.dumps({"t": "os.system", "v": "true"}).encode())
    with pytest.raises(ValueError, match="something unknown"):
        RecordSerializer().loads_typed(("medner-json-1+zlib", data))


def test_half_of_a_surrogate_pair_survives() -> None:
    """A broken note may hold what UTF-8 has no bytes for."""
    serializer = RecordSerializer()
    sentence = Sentence("s", "咳\ud83d嗽")
    assert serializer.loads_typed(serializer.dumps_typed(sentence.text)) == sentence.text


def test_an_annotation_of_an_older_version_is_read() -> None:
    """Fields that came later have defaults, so that stored traces outlive an update."""
    old = {"t": "Annotation", "v": {"sentence": {"id": "s", "text": "咳嗽", "offset": 0, "document_id": ""}}}
    read = RecordSerializer().loads_typed(("medner-json-1", json.dumps(old).encode()))
    assert read == Annotation(Sentence("s", "咳嗽"))
    assert {field.name for field in dataclasses.fields(records.Verdict)} >= {"tried", "abstained", "overruled"}
