"""Kinds as types: each with its own keys, what 0.1.0 wrote, the schema, the command that checks a file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from medner.core.errors import BadInputError
from medner.service.build.judges import _digest
from medner.service.cli.app import main
from medner.service.config.engine import ENGINES
from medner.service.config.files import load_configuration
from medner.service.config.filters import FILTERS
from medner.service.config.fingerprint import fingerprint_facts
from medner.service.config.frozen import freeze, thaw
from medner.service.config.judges import JUDGES
from medner.service.config.kinds import KindTable
from medner.service.config.retired import SUCCESSORS
from medner.service.config.schema import configuration_schema
from medner.service.config.taggers import TAGGERS

ROOT = Path(__file__).parents[3]
TABLES: list[KindTable[Any]] = [TAGGERS, FILTERS, JUDGES, ENGINES]
WRITTEN = json.loads((Path(__file__).parent / "written_by_0_1_0.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", WRITTEN)
def test_what_0_1_0_wrote_is_read(case: str) -> None:
    """A job's frozen configuration, with every key of every kind: it means the same, and freezes to the same again."""
    written = WRITTEN[case]
    configuration = thaw(written["configuration"])
    assert configuration.described() == written["described"]
    assert [_digest(judge) for judge in configuration.judge.in_order] == written["judges"]
    assert thaw(freeze(configuration)) == configuration


#: What a fingerprint has as hashes of files, or not at all.
FILES = {"adapter", "said"}
SERVER = {"url", "key_env", "attempts", "timeout_s"}


def with_what_ships(written: dict[str, Any]) -> dict[str, Any]:
    """What 0.1.0 wrote, with the successors of retired adapters; the hashes of their files are not compared."""
    taggers = [dict(tagger) for tagger in written["taggers"]]
    for tagger in taggers:
        *folders, name = str(tagger["adapter"]).split("/")
        successor = SUCCESSORS.get(folders[-1], {}).get(name) if folders else None
        if successor is not None:
            tagger["adapter"] = "/".join((*folders, successor))
    return {**written, "taggers": taggers}


def without(table: dict[str, Any], *keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in set().union(*keys)}


@pytest.mark.parametrize("case", WRITTEN)
def test_fingerprints_hash_what_0_1_0_hashed(case: str) -> None:
    """Every key that its configurations had, with its value: so a journal that was begun then goes on."""
    written = with_what_ships(WRITTEN[case]["configuration"])
    facts = fingerprint_facts(thaw(written))
    plain = {"taggers", "judge", "filter", "engine", "labels"}
    assert facts.keys() - {"medner"} == without(written, {"concurrency", "max_rows", "join_lines"}).keys()
    assert without(facts, plain, {"medner"}) == without(written, plain, {"concurrency", "max_rows", "join_lines"})
    assert [without(fact, FILES) for fact in facts["taggers"]] == [without(one, FILES) for one in written["taggers"]]
    assert [set(fact) for fact in facts["taggers"]] == [set(one) for one in written["taggers"]]
    judges = [(facts["judge"], written["judge"])]
    judges += zip(facts["judge"]["fallback"], written["judge"]["fallback"], strict=True)
    for fact, one in judges:
        assert fact.keys() == without(one, SERVER).keys()
        nested = {"template", "fallback", "adapter"}
        assert without(fact, nested) == without(one, nested, SERVER)
    assert facts["engine"] == written["engine"]["kind"]
    if facts["filter"] is not None:
        assert facts["filter"].keys() == {"kind", "threshold", "temperature", "adapter"}
        assert facts["filter"]["kind"] == written["filter"]["kind"]


def test_a_registered_judge_of_0_1_0_is_read() -> None:
    """With every key, and under a version's name and number."""
    for written in WRITTEN.values():
        judge = written["configuration"]["judge"]
        assert JUDGES.read({**judge, "name": "house", "version": "7"}).name == "house"


@pytest.mark.parametrize(
    ("table", "data", "message"),
    [
        (TAGGERS, {"name": "a", "strategy": "span", "adapter": "x", "style": "full"}, "style: only symbol, json, html"),
        (TAGGERS, {"name": "a", "strategy": "span"}, "adapter: a span tagger needs the folder"),
        (TAGGERS, {"name": "a"}, "strategy: is missing; there are symbol, json"),
        (TAGGERS, {"name": "a", "strategy": "simbol"}, "strategy: there is no 'simbol'; is symbol meant? There are "),
        (TAGGERS, {"name": "a", "strategy": "html", "adaptor": "x"}, "adaptor: unknown key; is adapter meant? There"),
        (
            TAGGERS,
            {"name": "a", "strategy": "plugin:x", "adapter": "x"},
            "adapter: only symbol, json, html",
        ),
        (TAGGERS, {"name": "a", "strategy": 3}, "strategy: there is no 3"),
        (
            FILTERS,
            {"kind": "span", "adapter": "x"},
            "adapter: only llm-causal, llm-cls, bert-cls takes this",
        ),
        (FILTERS, {"kind": "llm-causal", "exported": "x"}, "exported: only llm-cls takes this"),
        (FILTERS, {"kind": "llm-cls"}, "adapter: llm-cls needs the folder that medner train filter wrote"),
        (FILTERS, {"kind": "bert-cls"}, "adapter: bert-cls needs the folder that medner train filter wrote"),
        (FILTERS, {"kind": "plugin:x", "threshold": 0.5}, "threshold: only llm-causal, llm-cls, bert-cls, span"),
        (FILTERS, {"kind": "llm-clas"}, "kind: there is no 'llm-clas'; is llm-cls meant?"),
        (ENGINES, {"kind": "vllm"}, "servers: engine vllm needs at least one"),
        (ENGINES, {"servers": [{"url": "http://h"}]}, "servers: only vllm takes this, local does not"),
        (ENGINES, {"timeout_s": 120}, "timeout_s: only vllm takes this, local does not"),
        (
            ENGINES,
            {"kind": "vllm", "servers": [{"uri": "http://h"}]},
            "uri: unknown key; is url meant? There are url, ",
        ),
        (JUDGES, {"kind": "plugin:x", "least": 0.5}, "least: only filter-score takes this"),
    ],
)
def test_a_key_that_a_kind_does_not_take_is_refused(table: KindTable[Any], data: Any, message: str) -> None:
    """Also at the value that it has where it means something; with who takes it, or the likely key."""
    with pytest.raises(ValidationError) as refused:
        table.read(data)
    assert message in str(refused.value)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_lists_kinds_that_name_themselves(table: KindTable[Any]) -> None:
    """Every row can be found by its kind, and is of the role."""
    for kind, row in table.rows.items():
        assert issubclass(row, table.base)
        assert table.row("plugin:x" if kind == "plugin" else kind) is row


def problems(text: str) -> list[str]:
    checker = jsonschema.Draft202012Validator(configuration_schema())
    return [error.message for error in checker.iter_errors(tomllib.loads(text))]


GOOD = [
    'taggers = ["span-12", {name = "m", strategy = "html"}]\nfilter = "off"\npreset = "fast"\n',
    '"$schema" = "./medner.schema.json"\n[judge]\nkind = "select"\nfallback = ["hard-vote", {kind = "best-tagger"}]\n',
    '[filter]\nkind = "plugin:short-words"\n[judge]\nleast = 0.3\nkind = "filter-score"\n',
    '[[taggers]]\nname = "w"\nstrategy = "plugin:dictionary:words.txt"\n[engine]\nkind = "local"\n',
    '[judge]\ntagger = "a"\n[filter]\nthreshold = 0.3\n',
]
BAD = [
    "max_char = 3\n",
    '[judge]\nkind = "hard-vote"\nleast = 0.5\n',
    '[[taggers]]\nname = "a"\nstrategy = "span"\n',
    '[engine]\nkind = "vllm"\n',
    '[filter]\nkind = "nothing"\n',
    "[engine]\nservers = []\n",
]


@pytest.mark.parametrize("text", [*GOOD, (ROOT / "examples" / "configuration.toml").read_text(encoding="utf-8")])
def test_the_schema_takes_what_files_may_say(text: str) -> None:
    """Plugins, names of taggers that ship, words for judges among it."""
    assert not problems(text)


@pytest.mark.parametrize("text", BAD)
def test_the_schema_refuses_what_reading_refuses(text: str, tmp_path: Path) -> None:
    """An editor marks what `medner annotate` would stop at."""
    assert problems(text)
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError):
        load_configuration(tmp_path / "c.toml")


def test_medner_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The schema is JSON on standard output; a file is read as annotate reads it, or refused in one line."""
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == configuration_schema()
    path = tmp_path / "c.toml"
    path.write_text('#:schema ./medner.schema.json\n"$schema" = "x"\n[judge]\nkind = "hard-vote"\n', encoding="utf-8")
    assert main(["config", "check", str(path)]) == 0
    assert "judge: hard-vote\n" in capsys.readouterr().out
    assert main(["config", "check", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["judge"]["kind"] == "hard-vote"
    path.write_text('[judge]\nkind = "hard-vote"\nleast = 0.5\n', encoding="utf-8")
    assert main(["config", "check", str(path)]) == 2
    assert f"{path} [judge.least]: only filter-score takes this, hard-vote does not" in capsys.readouterr().err
    path.write_text('[judge]\nkind = "plugin:nothing"\n', encoding="utf-8")
    assert main(["config", "check", str(path)]) == 2
    assert "no plugin 'nothing' among the installed judges" in capsys.readouterr().err
