"""A judge that chats on a base model of its own: built, estimated, served, and put in place during a run."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medner.agents.engines.scripted import ScriptedEngine
from medner.agents.engines.vllm.engine import VllmEngine
from medner.agents.judges.judge_chain import JudgeChain
from medner.core.choices import DEFAULT_MODEL
from medner.core.errors import BadInputError, UserError
from medner.core.findings import Level
from medner.core.records import Document, Entity, Verdict
from medner.service.build.further_bases import FurtherBases
from medner.service.build.judges import build_judge_chain, judge_bases
from medner.service.build.pipeline import adapter_names, assembled, assembled_parts, judge_parts
from medner.service.build.run_engines import bases_here, check_memory, engine_orders
from medner.service.build.vllm_engine import model_needs
from medner.service.config.configuration import Configuration, validated
from medner.service.config.files import load_configuration
from medner.service.config.fingerprint import fingerprint
from medner.service.config.frozen import freeze, thaw
from medner.service.config.judges import JUDGES, read_judge
from medner.service.config.options import Overrides, configured
from medner.service.config.plugins import NoEngine
from medner.service.doctor.checks import base_model, memory
from medner.service.vllm_servers.command import serve_commands
from medner.service.vllm_servers.plan import Plan
from medner.store.models import ModelStore
from tests.agents.engines.vllm.play import Play, pool_of
from tests.agents.judges.conftest import make_case

LARGE = "qwen2.5-coder-1.5b-instruct"
TEXT = "患者咳嗽三天，伴发热，双侧扁桃体红肿。"
CASE = make_case("右肺上叶腺癌", {Entity(0, 6, "dis"): "a", Entity(4, 6, "dis"): "b"}, voters="ab")
TAGGERS = [
    {"name": "a", "strategy": "symbol", "style": "brief"},
    {"name": "b", "strategy": "json", "style": "plain"},
]


def of(bases: Path, judge: dict[str, Any], model: str = "one", **more: Any) -> Configuration:
    """A configuration with a judge, in single precision; ``model`` is one of the bases."""
    data = {"model": str(bases / model), "taggers": TAGGERS, "dtype": "f32", "judge": judge, **more}
    return validated(data, where="test")


async def verdicts(configuration: Configuration, model: Path) -> list[Verdict]:
    """What the judge said of the text's conflicts."""
    async with assembled(configuration, model=model) as pipeline:
        annotated = await pipeline.annotate_document(Document("a", TEXT))
    return [verdict for sentence in annotated.annotations for verdict in sentence.verdicts]


async def asked(chain: JudgeChain) -> Verdict:
    (one,) = await chain.settle([CASE])
    return one.verdict


@pytest.mark.parametrize("kind", ["select", "rewrite"])
async def test_a_judge_on_another_base_answers_as_it_does_there(kind: str, bases: Path) -> None:
    """Its verdicts are those of the same judge where its base is the run's, whatever the taggers stand on."""
    judge = {"kind": kind, "max_tokens": 32}
    apart = await verdicts(of(bases, {**judge, "base": str(bases / "two")}), bases / "one")
    taggers = [{**tagger, "base": str(bases / "one")} for tagger in TAGGERS]
    alone = await verdicts(of(bases, judge, model="two", taggers=taggers), bases / "two")
    assert apart
    assert {verdict.judge for verdict in apart} == {"two"}
    assert [(one.answer, one.kept, one.fallback) for one in apart] == [
        (one.answer, one.kept, one.fallback) for one in alone
    ]


def test_a_judges_base_in_words_tables_and_files(bases: Path) -> None:
    """select@BASE, the key base, a path that counts from the file's folder; not with another model."""
    judge = configured(Overrides(judge=f"select@{LARGE}")).judge
    assert (judge.kind, judge.own_base, judge.in_words()) == ("select", LARGE, f"select (on {LARGE})")
    assert read_judge(f"rewrite@{bases}/two") == {"kind": "rewrite", "base": f"{bases}/two"}
    # The run's own base is none of its own.
    assert configured(Overrides(judge=f"select@{DEFAULT_MODEL}")).judge.own_base is None
    path = bases / "judge.toml"
    text = 'model = "./one"\n[judge]\nkind = "select"\ntemplate = "step-by-step"\nbase = "./two"\n'
    path.write_text(text, encoding="utf-8")
    configuration = load_configuration(path)
    assert configuration.bases == (f"{bases}/./two",)
    assert configuration.described()["judge"] == "select (step-by-step, on two)"
    assert thaw(freeze(configuration)) == configuration
    with pytest.raises(BadInputError, match=r"judge\.base\].*model names another"):
        of(bases, {"kind": "select", "base": LARGE, "model": "openai:x"})
    takers = "select, rewrite, trained, evidence"
    with pytest.raises(ValidationError, match=f"base: only {takers} takes this, hard-vote does not"):
        JUDGES.read({"kind": "hard-vote", "base": LARGE})
    for wrong in ("select@", "hard-vote@x", "@x@y"):
        with pytest.raises(UserError, match="is none; there are select"):
            read_judge(wrong)


def test_judges_that_step_in_have_their_bases_too(bases: Path) -> None:
    """In words or as tables."""
    fallback = [f"rewrite@{bases / 'two'}", {"kind": "select", "base": LARGE}]
    configuration = of(bases, {"kind": "select", "fallback": fallback})
    assert configuration.bases == (str(bases / "two"), LARGE)
    assert judge_bases(configuration) == (str(bases / "one"), str(bases / "two"), LARGE)


def test_memory_doctor_and_fingerprint_know_a_judges_base(bases: Path) -> None:
    """It is loaded beside the run's, counted before, and a run of its own."""
    two = str(bases / "two")
    configuration = of(bases, {"kind": "select", "base": two})
    assert bases_here(configuration) == (str(bases / "one"), two)
    orders = engine_orders(configuration, bases / "one", adapter_names(configuration))
    with pytest.raises(UserError, match=r"2 base models take about .*\(one .*, two .*\).*--judge"):
        check_memory(configuration, orders, free=1e6)
    assert [finding.subject for finding in base_model(configuration, hashes=False)] == [
        f"model {bases / 'one'}",
        f"model {two}",
    ]
    (fits,) = memory(configuration, free=4e9)
    assert fits.level is Level.OK
    assert "2 base models take about" in fits.what
    (short,) = memory(configuration, free=1e6)
    assert (short.level, "are free" in short.what) == (Level.ERROR, True)
    assert list(memory(of(bases, {"kind": "select"}), free=1e6)) == []
    plain = of(bases, {"kind": "select"})
    assert fingerprint(configuration) != fingerprint(plain)
    assert fingerprint(configuration, own_bases=True) != fingerprint(plain, own_bases=True)


def test_a_judges_base_has_a_server_of_its_own(bases: Path) -> None:
    """And the run's base none where nobody asks it there."""
    engine = {"kind": "vllm", "servers": [{"url": "http://127.0.0.1:8101"}], "span_taggers": "local"}
    two = str(bases / "two")
    both = of(bases, {"kind": "select", "base": two}, engine=engine)
    assert [need.model for need in model_needs(both)] == ["one", "two"]
    assert bases_here(both) == ()
    served = [command.arguments for command in serve_commands(both, bases / "one", Plan())]
    assert [line[line.index("--served-model-name") + 1] for line in served] == ["one", "two"]
    spans = [{"name": "s", "strategy": "span", "adapter": bases / "on-one"}]
    alone = of(bases, {"kind": "hard-vote", "fallback": [f"rewrite@{two}"]}, engine=engine, taggers=spans)
    (served_alone,) = serve_commands(alone, bases / "one", Plan())
    assert served_alone.arguments[served_alone.arguments.index("--served-model-name") + 1] == "two"


async def test_a_judge_of_another_base_is_put_in_place_while_a_run_is_under_way(bases: Path) -> None:
    """Its base is loaded then, answers as in a run of its own, and stays for the next judge on it."""
    judge = JUDGES.read({"kind": "select", "base": str(bases / "two"), "max_tokens": 8})
    async with assembled_parts(of(bases, {"kind": "hard-vote"}), model=bases / "one") as made:
        with pytest.raises(UserError, match=r"base model two, which is not loaded here \(loaded: one\); take"):
            build_judge_chain(judge, made.parts)
        await made.parts.load_adapters(judge)
        swapped = await asked(build_judge_chain(judge, made.parts))
        assert list(made.parts.others) == [str(bases / "two")]
        engine = made.parts.needed_engine(judge.own_base)
        await made.parts.load_adapters(JUDGES.read({"kind": "rewrite", "base": str(bases / "two")}))
        assert made.parts.needed_engine(judge.own_base) is engine
        back = JUDGES.read({"kind": "select", "max_tokens": 8})
        await made.parts.load_adapters(back)
        assert (await asked(build_judge_chain(back, made.parts))).judge == "one"
    async with assembled_parts(of(bases, {"kind": "hard-vote"}, model="two"), model=bases / "two") as made:
        alone = await asked(build_judge_chain(back, made.parts))
    assert (swapped.judge, swapped.answer, swapped.kept) == ("two", alone.answer, alone.kept)


async def test_a_run_that_asks_no_model_loads_one_for_a_judge(bases: Path) -> None:
    """The run's own base, where its taggers are recorded and its judge was a rule."""
    configuration = of(bases, {"kind": "hard-vote"})
    orders: list[Any] = []

    def factory(order: Any) -> ScriptedEngine:
        orders.append(order)
        return ScriptedEngine(lambda _: "1")

    others: dict[str, Any] = {}
    further = FurtherBases(configuration, factory, others, threading.Lock())
    parts = judge_parts(configuration, NoEngine(), others, further)
    judge = JUDGES.read({"kind": "select"})
    with pytest.raises(UserError, match=r"base model one, which is not loaded here \(loaded: none\)"):
        build_judge_chain(judge, parts)
    await asyncio.gather(parts.load_adapters(judge), parts.load_adapters(judge))
    assert [order.model for order in orders] == [bases / "one"]
    assert (await asked(build_judge_chain(judge, parts))).judge == "one"


def claims_to_be_large(folder: Path) -> Path:
    """A model's folder whose weights say that they take terabytes."""
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    head = json.dumps({"model.layers.0.weight": {"dtype": "F32", "shape": [1_000_000, 1_000_000]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head)
    return folder


async def test_a_base_that_does_not_fit_is_refused_before_it_is_loaded(bases: Path, tmp_path: Path) -> None:
    """In one line with the way out; the judge before it goes on. So is one that is not on this machine."""
    large = claims_to_be_large(tmp_path / "large")
    async with assembled_parts(of(bases, {"kind": "select"}), model=bases / "one") as made:
        for base, reason in (
            (str(large), r"base model large, which takes about [\d,.]+ GB of memory, and .* free; take a judge on a"),
            (LARGE, f"medner models pull {LARGE}"),
        ):
            if base == LARGE and ModelStore().has(LARGE):
                continue
            judge = JUDGES.read({"kind": "select", "base": base})
            with pytest.raises(UserError, match=reason) as refused:
                await made.parts.load_adapters(judge)
            assert "\n" not in str(refused.value)
        assert not made.parts.others


async def test_a_judges_base_is_looked_for_on_the_servers(bases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the run has servers nothing is loaded here; they are asked again before the judge is refused."""
    engine = {"kind": "vllm", "servers": [{"url": "http://server0"}]}
    configuration = of(bases, {"kind": "hard-vote"}, engine=engine)
    play = Play({"one": 4_096}, answer="1")
    pool = pool_of(play)
    await pool.open()
    remote = VllmEngine(pool, base="one")
    others: dict[str, Any] = {}

    def never(order: Any) -> ScriptedEngine:
        raise AssertionError(order)

    parts = judge_parts(
        configuration, remote, others, FurtherBases(configuration, never, others, threading.Lock(), remote)
    )
    judge = JUDGES.read({"kind": "select", "base": str(bases / "two")})
    with pytest.raises(UserError, match=r"base model two, which no server has; start one \(medner serve-models"):
        await parts.load_adapters(judge)
    play.models["two"] = 4_096
    monkeypatch.setattr("medner.agents.engines.vllm.pool._HEALTH_EVERY_S", 0.0)
    await parts.load_adapters(judge)
    assert (await asked(build_judge_chain(judge, parts))).judge == "two"
    assert play.seen[-1]["model"] == "two"
    await pool.close()


@pytest.mark.model
async def test_a_judge_on_another_real_base(bases: Path) -> None:
    """The shipped taggers on the 0.5B model, the judge on the 1.5B model where it is here, else on a tiny one."""
    store = ModelStore()
    try:
        folder = store.path(DEFAULT_MODEL)
    except UserError as missing:
        pytest.skip(str(missing))
    base = LARGE if store.has(LARGE) else str(bases / "two")
    configuration = configured(Overrides(taggers="span-12,html:full", judge=f"select@{base}", filter="off"))
    assert bases_here(configuration) == (DEFAULT_MODEL, base)
    async with assembled(configuration, model=folder) as pipeline:
        annotated = await pipeline.annotate_document(Document("a", TEXT))
    found = [verdict for sentence in annotated.annotations for verdict in sentence.verdicts]
    assert found
    assert {(verdict.judge, verdict.fallback) for verdict in found} == {(Path(base).name, None)}
    assert "span-12" in {output.tagger for sentence in annotated.annotations for output in sentence.outputs}
