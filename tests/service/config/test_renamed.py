"""`said` of version 0.1.0 is `answers` now: files, options, jobs, journals and Python with the old name are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import medner
from medner.core.errors import BadInputError, UserError
from medner.core.files.hashing import sha256_of
from medner.core.records import Sentence
from medner.service.annotate.journal import journal_path
from medner.service.cli.app import main
from medner.service.config.files import load_configuration
from medner.service.config.fingerprint import fingerprint, fingerprint_facts
from medner.service.config.frozen import freeze, thaw
from medner.service.jobs.submit import spec_of
from medner.service.traces.forking import configuration_of
from medner.service.worker.pipelines import open_pipeline
from medner.store.traces import RunRecord
from medner.store.traces.records import LabelSetRecord

NOTE = "said is called answers now; said is read for one more version"
WRITTEN = json.loads((Path(__file__).parent / "written_by_0_1_0.json").read_text(encoding="utf-8"))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    lines = [{"id": str(number), "text": f"第{number}天胸痛。"} for number in range(6)]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def first(kit: Any, texts: Path, tmp_path: Path) -> Path:
    """A result of the taggers html-full and json-plain."""
    path = tmp_path / "first.jsonl"
    assert kit.run(texts, "-o", path).exit_code == 0
    kit.asked.clear()
    return path


def frozen_by_0_1_0(first: Path) -> dict[str, Any]:
    """A job's configuration as 0.1.0 wrote it, its taggers' answers taken from a file."""
    case = next(one["configuration"] for one in WRITTEN.values() if one["configuration"]["filter"] is None)
    tagger = {"strategy": "html", "style": "full", "shots": 0, "adapter": None, "constrained": True, "served": None}
    taggers = [{"name": "html-full", **tagger, "said": str(first)}]
    judge = {**case["judge"], "kind": "best-tagger", "tagger": None, "fallback": []}
    return {**case, "labels": "cmeee-v2", "taggers": taggers, "judge": judge, "min_taggers": 1}


def test_the_option_under_its_old_name(kit: Any, texts: Path, first: Path, tmp_path: Path) -> None:
    """The same result, no tagger asked, and one note."""
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    done = kit.run(texts, "-o", old, "--said", first, "--judge", "hard-vote")
    assert (done.exit_code, kit.asked) == (0, [])
    assert done.stderr.count("note: --said is called --answers now; --said is read for one more version\n") == 1
    again = kit.run(texts, "-o", new, "--answers", first, "--judge", "hard-vote")
    assert (again.exit_code, "--said" in again.stderr) == (0, False)
    before, after = ([one["entities"] for one in kit.records(path)] for path in (old, new))
    assert before == after


def test_the_key_under_its_old_name(first: Path, tmp_path: Path, caplog: Any) -> None:
    """A file with it means the same; the note names file and key. Both names at once are refused."""
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    text = 'taggers = [{{name = "html-full", strategy = "html", {} = "first.jsonl"}}]\n[judge]\nkind = "best-tagger"\n'
    old.write_text(text.format("said"), encoding="utf-8")
    new.write_text(text.format("answers"), encoding="utf-8")
    assert load_configuration(old) == load_configuration(new)
    assert [record.getMessage() for record in caplog.records] == [f"note: {old} [taggers.0.said]: {NOTE}"]
    assert fingerprint(load_configuration(old)) == fingerprint(load_configuration(new))
    old.write_text(text.format('answers = "x", said'), encoding="utf-8")
    with pytest.raises(BadInputError, match=r"old\.toml \[taggers\.0\.said\]: is called answers now, and answers is"):
        load_configuration(old)


def test_a_misspelt_key_names_the_new_one(tmp_path: Path) -> None:
    """Among the keys there are."""
    (tmp_path / "c.toml").write_text('taggers = [{name = "a", strategy = "html", answer = "x"}]\n', encoding="utf-8")
    with pytest.raises(BadInputError, match="unknown key; is answers meant"):
        load_configuration(tmp_path / "c.toml")


def test_what_0_1_0_froze_is_read_and_hashed_as_it_was(first: Path) -> None:
    """Jobs and traces: the same configuration, frozen under the new name, with the fingerprint that it had."""
    written = frozen_by_0_1_0(first)
    configuration = thaw(written)
    assert configuration.taggers[0].answers == first
    assert configuration.asked == ()
    (fact,) = fingerprint_facts(configuration)["taggers"]
    assert fact == {**written["taggers"][0], "said": sha256_of(first)}
    frozen = freeze(configuration)
    assert frozen["taggers"][0]["answers"] == str(first)
    assert thaw(frozen) == configuration
    assert fingerprint(thaw(frozen)) == fingerprint(configuration)
    labels = LabelSetRecord.of(configuration.label_set)
    run = RunRecord(run="r", kind="job", policy="all", judge="", labels=labels, configuration=written)
    assert configuration_of(run) == configuration


async def test_a_job_of_0_1_0_is_done(first: Path) -> None:
    """A worker opens its agents, whose fingerprint is the job's, and takes the answers from the file."""
    written = frozen_by_0_1_0(first)
    spec = spec_of(thaw(written), name="old").model_copy(update={"configuration": written})
    async with open_pipeline(spec) as agents:
        annotation = await agents.annotate_sentence(Sentence("a#0", "第0天胸痛。"))
    assert [(output.tagger, len(output.decoded.entities)) for output in annotation.outputs] == [("html-full", 1)]


@pytest.mark.parametrize(("before", "after"), [("--said", "--answers"), ("--answers", "--said"), ("--said", "--said")])
def test_a_run_goes_on_under_either_name(
    before: str, after: str, kit: Any, texts: Path, first: Path, tmp_path: Path
) -> None:
    """Its journal is of the same run; no sentence is done twice."""
    out, config = tmp_path / "out.jsonl", tmp_path / "c.toml"
    taggers = "".join(
        f'[[taggers]]\nname = "{name}-full"\nstrategy = "{name}"\nstyle = "full"\n' for name in ("html", "symbol")
    )
    config.write_text(f'concurrency = 1\n{taggers}[judge]\nkind = "hard-vote"\n', encoding="utf-8")
    common = ("--config", config)
    kit.before = lambda _, sentence: UserError("the power is gone") if "第4天" in sentence else None
    stopped = kit.run(texts, "-o", out, before, first, *common)
    assert isinstance(stopped.exception, UserError)
    assert journal_path(out).is_file()
    kit.before = lambda *_: None
    kit.asked.clear()
    resumed = kit.run(texts, "-o", out, after, first, *common)
    assert resumed.exit_code == 0, resumed.output
    assert "finished sentences" in resumed.stderr
    assert 0 < len(kit.asked) < 6
    assert len(kit.records(out)) == 6


def test_the_training_of_a_judge_takes_the_old_option(
    first: Path, texts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the same note; what is wrong is told under the new name."""
    assert main(["train", "judge", "--said", str(first), "-o", str(first.parent / "runs")]) == 2
    told = capsys.readouterr().err
    assert "note: --said is called --answers now" in told
    assert "gold files and --answers go together" in told


def test_python_takes_the_old_setting(first: Path) -> None:
    """With a DeprecationWarning; both names at once are refused."""
    from medner.testing import TAGGERS, DictionaryEngine

    engine = DictionaryEngine({"胸痛": "sym"})
    with (
        pytest.warns(DeprecationWarning, match=NOTE),
        medner.load(engine=engine, taggers=TAGGERS, judge="hard-vote", said=[first]) as nlp,  # type: ignore[call-arg]
    ):
        assert nlp.annotate("第1天胸痛。").entities[0].text == "胸痛"
    with pytest.raises(UserError, match="answers is there too"):
        medner.load(said=[first], answers=[first])  # type: ignore[call-arg]
