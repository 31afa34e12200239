"""A base model a tagger: two bases in one run, what they take of memory, who knows of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from medner.agents.engines.local.memory import base_memory
from medner.agents.engines.scripted import ScriptedEngine
from medner.core.choices import DEFAULT_MODEL
from medner.core.errors import UserError
from medner.core.records import Document
from medner.service.build.engines import EngineOrder
from medner.service.build.judges import JudgeParts
from medner.service.build.pipeline import adapter_names, assembled, check_adapters
from medner.service.build.run_engines import bases_here, check_memory, engine_orders, needs_local, needs_model
from medner.service.build.vllm_engine import model_needs
from medner.service.cli.app import main
from medner.service.config.configuration import Configuration, validated
from medner.service.config.files import load_configuration
from medner.service.config.fingerprint import fingerprint
from medner.service.config.frozen import freeze, thaw
from medner.service.config.judges import JUDGES
from medner.service.config.options import Overrides, configured
from medner.service.vllm_servers.command import serve_commands
from medner.service.vllm_servers.plan import Plan
from medner.store.models import ModelStore

LARGE = "qwen2.5-coder-1.5b-instruct"
TEXT = "患者咳嗽三天，伴发热。"


def of(bases: Path, taggers: list[dict[str, Any]], **more: Any) -> Configuration:
    """A configuration on ``one`` in single precision."""
    data = {"model": str(bases / "one"), "taggers": taggers, "dtype": "f32", "judge": {"kind": "hard-vote"}, **more}
    return validated(data, where="test")


def writer(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "strategy": "symbol", "style": "brief", **more}


async def answers(configuration: Configuration, model: Path) -> dict[str, str]:
    """What each tagger wrote of the sentence."""
    async with assembled(configuration, model=model) as pipeline:
        annotated = await pipeline.annotate_document(Document("a", TEXT))
    return {output.tagger: output.answer for sentence in annotated.annotations for output in sentence.outputs}


async def test_two_bases_in_one_annotation(bases: Path) -> None:
    """Each tagger answers as it does where its base is the only one, untuned and tuned, whoever else is asked."""
    two = str(bases / "two")
    plain, tuned = writer("a"), writer("b", base=two)
    trained = writer("c", base=two, adapter=bases / "on-two"), writer("d", adapter=bases / "on-one")
    together = await answers(of(bases, [plain, tuned, *trained]), bases / "one")
    alone = await answers(of(bases, [plain, trained[1]]), bases / "one")
    others = [writer("b"), writer("c", adapter=bases / "on-two")]
    alone |= await answers(of(bases, others, model=two), bases / "two")
    assert together == alone
    assert len(set(together.values())) == 4


async def test_an_adapter_on_a_base_that_it_does_not_fit_is_refused(bases: Path) -> None:
    """By the engine, where bases are folders and have no names to compare."""
    wrong = of(bases, [writer("a", adapter=bases / "on-two")])
    with pytest.raises(UserError):
        await answers(wrong, bases / "one")


def test_the_base_of_the_run_is_loaded_only_where_it_is_asked(bases: Path) -> None:
    """An engine a base, with its own adapters, and a turn that they share."""
    two = str(bases / "two")
    configuration = of(bases, [writer("b", base=two, adapter=bases / "on-two")])
    assert (bases_here(configuration), needs_local(configuration), needs_model(configuration)) == ((two,), True, False)
    orders = engine_orders(configuration, None, adapter_names(configuration))
    assert orders == {two: EngineOrder(bases / "two", {"b": bases / "on-two"}, 16, "f32", at_once=16)}
    both = of(bases, [writer("a", adapter=bases / "on-one"), writer("b", base=two, adapter=bases / "on-two")])
    first, second = engine_orders(both, bases / "one", adapter_names(both)).values()
    assert (dict(first.adapters), dict(second.adapters)) == ({"a": bases / "on-one"}, {"b": bases / "on-two"})
    assert first.turn is second.turn is not None


def test_memory_is_known_before_and_too_little_is_refused(bases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By weights, number format and adapters; the refusal names both models and the ways out."""
    two = bases / "two"
    single, half = base_memory(two, [], "f32"), base_memory(two, [], "bf16")
    assert single == 2 * half
    assert base_memory(two, [bases / "on-two"], "bf16") > half
    assert base_memory(two, [bases / "on-two"], "int8") > base_memory(two, [], "int8")
    with pytest.raises(UserError, match="holds no weights"):
        base_memory(bases, [], "f32")
    configuration = of(bases, [writer("a"), writer("b", base=str(two))])
    orders = engine_orders(configuration, bases / "one", {})
    check_memory(configuration, orders, free=4e9)
    check_memory(configuration, orders, free=None)
    with pytest.raises(
        UserError, match=r"2 base models take about 0\.6 GB of memory \(one 0\.0 GB, two 0\.0 GB\), and"
    ):
        check_memory(configuration, orders, free=1e6)


def test_a_shipped_adapter_brings_its_base(bases: Path, tmp_path: Path) -> None:
    """What its card names, where that is a model by name; of a base that medner does not know it is refused."""
    folder = shutil.copytree(bases / "on-one", tmp_path / "big")
    card = folder / "card.toml"
    card.write_text(f'name = "big"\nbase = "{LARGE}"\nlabels = "cmeee-v2"\nstrategy = "symbol"\n', encoding="utf-8")
    configuration = configured(Overrides(taggers=f"span-12,{folder}", judge="hard-vote"))
    assert configuration.bases == (LARGE,)
    assert configuration.described()["model"] == f"{DEFAULT_MODEL}, {LARGE}"
    assert f"big (symbol, brief, 0 examples, tuned, on {LARGE})" in configuration.described()["taggers"]
    check_adapters(configuration)
    assert thaw(freeze(configuration)) == configuration
    assert configured(Overrides(taggers=str(folder), judge="hard-vote", model=LARGE)).bases == ()
    card.write_text(card.read_text().replace(LARGE, "ward-model"), encoding="utf-8")
    with pytest.raises(
        UserError, match=r"was trained on the base model ward-model, not on qwen2\.5-coder-0\.5b-instruct"
    ):
        check_adapters(configured(Overrides(taggers=f"span-12,{folder}", judge="hard-vote")))


def test_a_base_that_an_adapter_was_not_trained_on_is_refused(bases: Path, tmp_path: Path) -> None:
    """Where both are names."""
    folder = shutil.copytree(bases / "on-one", tmp_path / "big")
    (folder / "card.toml").write_text(f'base = "{DEFAULT_MODEL}"\nlabels = "cmeee-v2"\nstrategy = "symbol"\n')
    tagger = writer("a", adapter=folder, base=LARGE)
    with pytest.raises(UserError, match=f"not on {LARGE}"):
        check_adapters(validated({"taggers": [tagger]}, where="test"))


def test_a_base_in_options_and_files(bases: Path, tmp_path: Path) -> None:
    """STRATEGY:STYLE@BASE; a path in a file counts from the file's folder."""
    (tagger,) = configured(Overrides(taggers=f"html:full@{LARGE}", judge="hard-vote")).taggers
    assert (tagger.name, tagger.own_base) == (f"html-full-{LARGE}", LARGE)
    with pytest.raises(UserError, match="with @BASE behind it"):
        configured(Overrides(taggers="html:full@"))
    path = bases / "c.toml"
    path.write_text('model = "./one"\n[[taggers]]\nname = "a"\nstrategy = "html"\nbase = "./two"\n', encoding="utf-8")
    assert load_configuration(path).bases == (f"{bases}/./two",)


def test_the_fingerprint_knows_the_base(bases: Path, tmp_path: Path) -> None:
    """Its files, wherever they lie; its name where files do not count. No tagger of the run's base changes with it."""
    configuration = of(bases, [writer("a", base=str(bases / "two"))])
    moved = shutil.copytree(bases / "two", tmp_path / "two")
    same = of(bases, [writer("a", base=str(moved))])
    assert fingerprint(configuration) == fingerprint(same)
    before = fingerprint(same, own_bases=True)
    assert before == fingerprint(configuration, own_bases=True)
    (moved / "extra.json").write_text("{}", encoding="utf-8")
    assert fingerprint(same, own_bases=True) != before
    assert fingerprint(of(bases, [writer("a")])) != fingerprint(configuration)


def test_every_base_has_a_server_of_its_own(bases: Path) -> None:
    """With its own adapters, under its own name; a run asks each for what it holds."""
    two = writer("b", base=str(bases / "two"), adapter=bases / "on-two")
    configuration = of(
        bases,
        [writer("a", adapter=bases / "on-one"), two, writer("c", base=str(bases / "two"))],
        engine={"kind": "vllm", "servers": [{"url": "http://127.0.0.1:8101"}]},
    )
    first, second = (command.arguments for command in serve_commands(configuration, bases / "one", Plan()))
    assert (first[first.index("--served-model-name") + 1], second[second.index("--served-model-name") + 1]) == (
        "one",
        "two",
    )
    assert f"cmeee-v2.a={bases / 'on-one'}" in first
    assert f"cmeee-v2.b={bases / 'on-two'}" in second
    assert [need.model for need in model_needs(configuration)] == ["cmeee-v2.a", "cmeee-v2.b", "two"]
    assert bases_here(configuration) == ()


def test_a_judge_of_another_base_says_that_it_is_not_loaded(bases: Path) -> None:
    """A judge that comes while a worker runs, and whose base the run does not have."""
    judge = JUDGES.read({"kind": "trained", "adapter": bases / "on-two", "base": LARGE})
    configuration = of(bases, [writer("a")], judge=judge)
    assert configuration.bases == (LARGE,)
    parts = JudgeParts(configuration.label_set, "a", "one", ScriptedEngine(lambda _: ""))
    with pytest.raises(UserError, match=f"runs on the base model {LARGE}, which is not loaded here"):
        parts.needed_engine(judge.own_base)


def test_the_command_says_what_two_bases_take(bases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before it loads them; and the page's and the result's facts name them."""
    path = bases / "d.toml"
    taggers = "".join(
        f'[[taggers]]\nname = "{name}"\nstrategy = "symbol"\nbase = "./{name}"\n' for name in ("one", "two")
    )
    path.write_text(f'model = "./one"\ndtype = "f32"\n{taggers}', encoding="utf-8")
    page = tmp_path / "page.html"
    code = main(["annotate", "--text", TEXT, "--config", str(path), "--json", "--html", str(page), "--trace", "none"])
    told = capsys.readouterr()
    assert code == 0, told.err
    assert "2 base models take about 0.6 GB of memory (one 0.0 GB, two 0.0 GB)" in told.err
    assert {output["tagger"] for output in json.loads(told.out)["sentences"][0]["outputs"]} == {"one", "two"}
    assert f"on {'two'}" in page.read_text(encoding="utf-8")


@pytest.mark.model
async def test_the_real_model_beside_another(bases: Path) -> None:
    """The shipped span tagger on its base, and a tagger on a tiny one, in one annotation of one process."""
    try:
        folder = ModelStore().path(DEFAULT_MODEL)
    except UserError as missing:
        pytest.skip(str(missing))
    span, *_ = configured(Overrides(preset="fast")).taggers
    taggers = [span.model_dump(), writer("tiny", base=str(bases / "two"))]
    data = {"taggers": taggers, "judge": {"kind": "hard-vote"}, "dtype": "auto"}
    configuration = validated(data, where="test")
    async with assembled(configuration, model=folder) as pipeline:
        annotated = await pipeline.annotate_document(Document("a", TEXT))
    (sentence,) = annotated.annotations
    found = {output.tagger: output for output in sentence.outputs}
    assert set(found) == {span.name, "tiny"}
    alone = validated({**data, "taggers": taggers[:1]}, where="test")
    async with assembled(alone, model=folder) as pipeline:
        (expected,) = (await pipeline.annotate_document(Document("a", TEXT))).annotations
    assert found[span.name].decoded == expected.outputs[0].decoded
    assert found[span.name].decoded.entities
