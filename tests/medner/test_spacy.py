"""The component of spaCy pipelines, in real spaCy: spans, entities, what cuts a token, streams, what is kept."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import medner
from medner.core.errors import UserError
from medner.testing import annotator

spacy = pytest.importorskip("spacy")
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from medner.spacy import MednerComponent

WORDS = {"咳嗽": "sym", "右下肺": "bod", "右下肺湿性啰音": "sym", "高血压": "dis", "😀痛": "sym"}
TEXT = "患者咳嗽，😀痛三天\r\n右下肺湿性啰音，高血压。"


@pytest.fixture(scope="module")
def models() -> Iterator[medner.Annotator]:
    """A dictionary instead of models; one tagger alone finds 高血压."""
    with annotator(WORDS, only={"json": ["高血压"]}, judge="best-tagger:json-plain") as loaded:
        yield loaded


def _pipeline(models: medner.Annotator, **config: Any) -> Any:
    nlp = spacy.blank("zh")
    nlp.add_pipe("medner", config=config).use(models)
    return nlp


def _places(spans: Any) -> list[tuple[str, str, int, int]]:
    return [(one.text, one.label_, one.start_char, one.end_char) for one in spans]


def test_every_entity_is_a_span_and_ents_do_not_overlap(models: medner.Annotator) -> None:
    """`doc.spans` holds what `medner.annotate` gives, nested ones too; of those, `doc.ents` takes the longer."""
    doc = _pipeline(models)(TEXT)
    expected = [(one.text, one.label, one.start, one.end) for one in models.annotate(TEXT).entities]
    assert _places(doc.spans["medner"]) == expected
    assert [one[0] for one in expected] == ["咳嗽", "😀痛", "右下肺湿性啰音", "右下肺", "高血压"]
    assert [one.text for one in doc.ents] == ["咳嗽", "😀痛", "右下肺湿性啰音", "高血压"]


def test_a_span_knows_why_it_is_there(models: medner.Annotator) -> None:
    """Decision, taggers, conflict and Chinese name are extensions; another span has none."""
    doc = _pipeline(models)(TEXT)
    cough, *_, pressure = doc.spans["medner"]
    assert (cough._.medner_decision, cough._.medner_taggers, cough._.medner_conflict) == (
        "agreed",
        ("html-full", "json-plain"),
        None,
    )
    assert (pressure._.medner_decision, pressure._.medner_label_name) == ("judged", "疾病")
    (conflict,) = doc._.medner_conflicts
    assert pressure._.medner_conflict == conflict["id"]
    assert (conflict["text"], conflict["judge"], conflict["kind"]) == ("高血压", "best-tagger:json-plain", "no_overlap")
    assert [(one["taggers"], one["kept"]) for one in conflict["candidates"]] == [(("json-plain",), True)]
    assert (doc._.medner_complete, doc._.medner_failures, doc._.medner_misaligned) == (True, (), ())
    assert doc[0:2]._.medner_decision is None
    assert spacy.blank("zh")("好")._.medner_entities == ()


class _Fixed:
    """Annotates every text with the same entities."""

    def __init__(self, *entities: medner.Entity) -> None:
        self._entities = entities

    def pipe(self, texts: Any, *, ahead: int = 1) -> Iterator[medner.Document]:
        for text in texts:
            if "!" in text:
                raise medner.ExternalError("the server is gone")
            yield medner.Document("", text, self._entities)


def test_the_rule_of_ents_is_the_same_in_any_order() -> None:
    """Longer, then likelier, then earlier, then by label; two labels of one place keep their own scores."""
    entities = (
        medner.Entity(0, 2, "sym", score=0.5),
        medner.Entity(0, 2, "dis", score=0.9),
        medner.Entity(1, 3, "bod", score=0.9),
        medner.Entity(3, 5, "pro"),
        medner.Entity(3, 5, "dru"),
        medner.Entity(4, 7, "ite", score=0.1),
    )
    for order in (entities, entities[::-1]):
        nlp = spacy.blank("zh")
        nlp.add_pipe("medner").use(_Fixed(*order))
        doc = nlp("一二三四五六七")
        assert _places(doc.ents) == [("一二", "dis", 0, 2), ("五六七", "ite", 4, 7)]
        scores = {(one.text, one.label_): one._.medner_score for one in doc.spans["medner"]}
        assert scores["一二", "sym"] == 0.5
        assert scores["一二", "dis"] == 0.9


def test_entities_of_other_components_stay(models: medner.Annotator) -> None:
    """What an earlier component found stays, unless the config says otherwise; `set_ents` False leaves all alone."""
    for config, expected in (
        ({}, ["患者咳", "😀痛", "右下肺湿性啰音", "高血压"]),
        ({"overwrite_ents": True}, ["咳嗽", "😀痛", "右下肺湿性啰音", "高血压"]),
        ({"set_ents": False}, ["患者咳"]),
    ):
        nlp = _pipeline(models, **config)
        nlp.add_pipe("entity_ruler", first=True).add_patterns([{"label": "X", "pattern": "患者咳"}])
        doc = nlp(TEXT)
        assert [one.text for one in doc.ents] == expected
        assert "咳嗽" in [one.text for one in doc.spans["medner"]]


def test_entities_that_cut_a_token_are_told(models: medner.Annotator) -> None:
    """Of pretokenised Docs: no span, but a warning, a count, and their data with the Doc."""
    nlp = _pipeline(models)
    words = ["患者", "咳嗽三", "天", "，", "右下", "肺", "湿性啰音", "高血压"]
    with pytest.warns(UserWarning, match=r"cut a token have no span \(1 in this Doc\).*alignment='expand'"):
        doc = nlp(Doc(nlp.vocab, words=words, spaces=[False] * len(words)))
    assert [one.text for one in doc.spans["medner"]] == ["右下肺湿性啰音", "右下肺", "高血压"]
    assert [(one["text"], one["start"], one["tokens"]) for one in doc._.medner_misaligned] == [("咳嗽", 2, "left out")]
    assert len(doc._.medner_entities) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        second = nlp(Doc(nlp.vocab, words=["咳嗽的"], spaces=[False]))
        assert nlp(TEXT)._.medner_misaligned == ()  # one character a token: nothing is cut
    assert second._.medner_misaligned[0]["text"] == "咳嗽"
    assert nlp.get_pipe("medner").misaligned == 2


@pytest.mark.parametrize(("alignment", "expected"), [("expand", ["咳嗽三"]), ("contract", [])])
def test_tokens_may_be_taken_whole(alignment: str, expected: list[str], models: medner.Annotator) -> None:
    """`expand` and `contract` are spaCy's; the entity's own place stays in its data."""
    nlp = _pipeline(models, alignment=alignment)
    with pytest.warns(UserWarning, match="cut a token"):
        doc = nlp(Doc(nlp.vocab, words=["患者", "咳嗽三"], spaces=[False, False]))
    assert [one.text for one in doc.spans["medner"]] == expected
    (cut,) = doc._.medner_misaligned
    assert (cut["start"], cut["end"], cut["tokens"]) == (2, 4, "moved" if expected else "left out")
    assert [one._.medner_tokens for one in doc.spans["medner"]] == ["moved"] * len(expected)


def test_streams(models: medner.Annotator) -> None:
    """`nlp.pipe` gives the Docs in order, blank ones without entities, and takes contexts along."""
    nlp = _pipeline(models)
    texts = ["咳嗽。", "", " \r\n", "高血压。"] * 50
    found = list(nlp.pipe(((text, at) for at, text in enumerate(texts)), as_tuples=True, batch_size=16))
    assert [(doc.text, at) for doc, at in found] == [(text, at) for at, text in enumerate(texts)]
    assert [len(doc.ents) for doc, _ in found] == [1, 0, 0, 1] * 50


def test_a_stream_is_not_read_to_its_end_first(models: medner.Annotator) -> None:
    """At most as many Docs as a batch has are read before the first is given."""
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for _ in range(10_000):
            read += 1
            yield "咳嗽。"

    next(iter(_pipeline(models).pipe(texts(), batch_size=8)))
    assert read <= 16


def test_a_doc_that_fails_goes_to_the_error_handler_alone() -> None:
    """The Docs before and after it come; without a handler the error is raised."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("medner").use(_Fixed(medner.Entity(0, 1, "sym")))
    with pytest.raises(medner.ExternalError):
        list(nlp.pipe(["一", "!", "三"]))
    failed: list[str] = []
    nlp.set_error_handler(lambda name, proc, docs, error: failed.extend(doc.text for doc in docs))
    assert [doc.text for doc in nlp.pipe(["一", "二!", "三", "四!"])] == ["一", "三"]
    assert failed == ["二!", "四!"]


def test_docs_keep_all_of_it_in_files(models: medner.Annotator) -> None:
    """`DocBin` and `to_bytes` take spans, scores and conflicts along."""
    nlp = _pipeline(models)
    doc = nlp(TEXT)
    kept = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (again,) = DocBin().from_bytes(kept).get_docs(spacy.blank("zh").vocab)
    for copy in (again, Doc(nlp.vocab).from_bytes(doc.to_bytes())):
        assert _places(copy.spans["medner"]) == _places(doc.spans["medner"])
        assert copy.spans["medner"][0]._.medner_decision == "agreed"
        assert json.dumps(copy._.medner_conflicts) == json.dumps(doc._.medner_conflicts)


CONFIG = {"labels": "ccks2019", "preset": "fast", "judge": {"kind": "hard-vote"}, "spans_key": "sc", "max_chars": 99}


def test_a_pipeline_on_disk_keeps_its_settings(tmp_path: Path) -> None:
    """`to_disk`, `spacy.load`, bytes and pickle: the config and the component are the same."""
    nlp = spacy.blank("zh")
    nlp.add_pipe("medner", name="entities", config={**CONFIG, "alignment": "expand", "set_ents": False})
    nlp.to_disk(tmp_path / "pipeline")
    same = spacy.blank("zh")
    same.add_pipe("medner", name="entities", config=CONFIG)
    for again in (
        spacy.load(tmp_path / "pipeline"),
        spacy.blank("zh").from_config(nlp.config),
        pickle.loads(pickle.dumps(nlp)),  # noqa: S301  made above
    ):
        component = again.get_pipe("entities")
        assert isinstance(component, MednerComponent)
        assert (component.spans_key, component.alignment, component.set_ents) == ("sc", "expand", False)
        assert again.config["components"]["entities"] == nlp.config["components"]["entities"]
        assert component.settings == nlp.get_pipe("entities").settings
    assert same.from_bytes(nlp.to_bytes()).get_pipe("entities").spans_key == "sc"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"labels": "none"}, "none"),
        ({"preset": "faster"}, "preset"),
        ({"alignment": "round"}, "strict, expand, contract"),
        ({"spans_key": ""}, "spans_key"),
        ({"key_env": "KEY"}, "server"),
        ({"server": "http://127.0.0.1:1", "model": "x"}, "model"),
    ],
)
def test_wrong_settings_are_told_when_the_pipeline_is_made(config: dict[str, Any], message: str) -> None:
    """Before any text is annotated, and before any model is loaded."""
    with pytest.raises(UserError, match=message):
        spacy.blank("zh").add_pipe("medner", config=config)


def test_given_models_stay_in_their_process(models: medner.Annotator) -> None:
    """A copy of the pipeline loads its own models; those of `use` are not taken along."""
    copy = pickle.loads(pickle.dumps(_pipeline(models)))  # noqa: S301  made here
    with pytest.raises(UserError, match="work in one process"):
        copy("咳嗽")


def test_evaluation(models: medner.Annotator) -> None:
    """`nlp.evaluate` scores the spans, nested ones too."""
    nlp = _pipeline(models)
    gold = nlp.make_doc(TEXT)
    gold.spans["medner"] = [gold.char_span(2, 4, label="sym"), gold.char_span(0, 2, label="bod")]
    scores = nlp.evaluate([Example(nlp.make_doc(TEXT), gold)])
    assert (scores["spans_medner_p"], scores["spans_medner_r"]) == (1 / 5, 1 / 2)


def test_nothing_needs_to_be_closed() -> None:
    """A script that ends with its pipeline open ends without a word."""
    code = (
        "import spacy\n"
        "from medner.testing import annotator\n"
        "nlp = spacy.blank('zh')\n"
        "nlp.add_pipe('medner').use(annotator({'咳嗽': 'sym'}))\n"
        "print(nlp('咳嗽').ents)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert (done.stdout, done.stderr) == ("(咳嗽,)\n", "")


def test_without_spacy_the_way_out_is_one_line() -> None:
    """Who imports the component without spaCy is told what to install."""
    code = (
        "import sys; sys.modules['spacy'] = None\n"
        "import medner\n"
        "try: import medner.spacy\n"
        "except medner.UserError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "spacy is missing: the component needs pip install 'medner[spacy]'\n"
