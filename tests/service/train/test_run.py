"""Every training from Python, on a tiny model: one contract, whatever is trained."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import pytest

from medner.core.errors import UserError
from medner.core.labels import label_set_toml
from medner.service.config.cards import AdapterCard, adapter_card, card_data, filter_card, judge_card, write_card
from medner.service.train.orders import FilterOrder, JudgeOrder, SoftLabelOrder, SpanOrder
from medner.service.train.run import Ending, carry_out
from tests.loss_curves import curve
from tests.service.train.conftest import ROLES, order_of

READERS: dict[str, Callable[[Path], Any]] = {
    "tagger": adapter_card,
    "span": adapter_card,
    "llm-cls": filter_card,
    "llm-causal": filter_card,
    "bert-cls": filter_card,
    "judge": judge_card,
    "span-judge": judge_card,
}
OLD = json.loads((Path(__file__).parent / "runs_0_1_0.json").read_text(encoding="utf-8"))


def after(steps: int) -> Callable[[], bool]:
    """Asks to stop before the step behind so many."""
    answers: Iterator[bool] = chain(repeat(False, steps), repeat(True))
    return lambda: next(answers)


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_trained_the_same_way(role: str, place: Path, tmp_path: Path) -> None:
    """Lines and steps come while it runs; the run folder holds card, curve, plot, facts; the card's reader reads it."""
    lines: list[str] = []
    shares: list[float] = []
    note = "Written by hand."
    order = order_of(role, place, tmp_path / "run", data_note=note, name="mine", command="from a test")
    outcome = carry_out(order, lines.append, on_step=lambda step: shares.append(step.share))
    assert (outcome.ending, outcome.output) == (Ending.DONE, tmp_path / "run" / "adapter")
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any(line.startswith("batch ") for line in lines)
    assert lines[-1].startswith("done: adapter ")
    assert set(outcome.scores) <= set(lines)
    assert {"config.json", "loss.jsonl", "loss.svg", "state.pt"} <= {path.name for path in order.out.iterdir()}
    card = READERS[role](outcome.output)
    assert (card.name, card.base, card.labels) == ("mine", "new" if role == "bert-cls" else "base", "cmeee-v2")
    told = card_data(outcome.output / "card.toml")
    assert told["data"][0].split()[0] in {"train.jsonl", "both.jsonl"}
    assert told["command"] == "from a test"
    assert note in told["licence_note"]
    assert str(place) not in (outcome.output / "card.toml").read_text(encoding="utf-8")
    config = json.loads((order.out / "config.json").read_text(encoding="utf-8"))
    assert (config["about"]["name"], config["task"]["base"]) == ("mine", card.base)


@pytest.mark.parametrize("role", ROLES)
def test_a_stopped_run_is_continued_by_the_same_order(role: str, place: Path, tmp_path: Path) -> None:
    """The loss curve is that of a run that was never stopped. Only a tagger's adapter can be used before the end."""
    whole, parts = (order_of(role, place, tmp_path / name) for name in ("whole", "parts"))
    assert carry_out(whole).ending is Ending.DONE
    assert carry_out(parts, stop=after(1)).ending is Ending.STOPPED
    assert (parts.out / "state.pt").is_file()
    assert (parts.out / "adapter" / "card.toml").is_file() == (role == "tagger")
    lines: list[str] = []
    assert carry_out(parts, lines.append).ending is Ending.DONE
    assert any(line.startswith("going on after batch ") for line in lines)
    assert curve(parts.out) == curve(whole.out)


@pytest.mark.parametrize("role", ROLES)
def test_another_setting_is_another_run(role: str, place: Path, tmp_path: Path) -> None:
    """The message names what differs; more epochs continue the run."""
    order = order_of(role, place, tmp_path / "run")
    assert carry_out(order, stop=after(1)).ending is Ending.STOPPED
    with pytest.raises(UserError, match=r"other settings \(learning_rate\); choose another --out"):
        carry_out(replace(order, settings={**order.settings, "learning_rate": 0.1}))
    assert carry_out(replace(order, settings={**order.settings, "epochs": 3.5})).ending is Ending.DONE


@pytest.mark.parametrize("role", sorted(OLD))
def test_a_run_of_version_0_1_0_is_continued(role: str, place: Path, tmp_path: Path) -> None:
    """config.json as that version wrote it for these files: settings and task are recognised, others are refused."""
    order = order_of(role, place, tmp_path / "run", **({"exclude": ()} if role == "judge" else {}))
    if isinstance(order, SpanOrder):
        # That version read whole tokens.
        order = replace(order, split=False)
    assert carry_out(order, stop=after(1)).ending is Ending.STOPPED
    config = order.out / "config.json"
    kept = json.loads(json.dumps(OLD[role]))
    if role == "tagger":
        kept["task"]["labels"] = f"cmeee-v2 sha256:{hashlib.sha256(label_set_toml('cmeee-v2').encode()).hexdigest()}"
    config.write_text(json.dumps(kept), encoding="utf-8")
    if isinstance(order, SpanOrder):
        with pytest.raises(UserError, match=r"other settings \(split_tokens\)"):
            carry_out(replace(order, split=True))
        order = replace(order, split=None)
    with pytest.raises(UserError, match="seed"):
        carry_out(replace(order, settings={**order.settings, "seed": 8}))
    for epochs in (3.0, 3.5):  # the run stays what it was, also when it is continued again
        lines: list[str] = []
        outcome = carry_out(replace(order, settings={**order.settings, "epochs": epochs}), lines.append)
        assert outcome.ending is Ending.DONE
        assert any(line.startswith("going on after batch ") for line in lines)
    assert READERS[role](outcome.output)


def test_a_dry_run_writes_nothing(place: Path, tmp_path: Path) -> None:
    """Whatever is trained: batches, memory and time are said."""
    for role in ("span", "llm-cls", "judge"):
        lines: list[str] = []
        outcome = carry_out(order_of(role, place, tmp_path / "run", dry_run=True), lines.append)
        assert outcome.ending is Ending.PLANNED
        assert "tokens/s (one step measured)" in lines[-1]
        assert not (tmp_path / "run").exists()


def test_a_setting_that_there_is_not_is_named(place: Path, tmp_path: Path) -> None:
    """The message lists the settings; None is as good as nothing."""
    with pytest.raises(UserError, match=r"no setting 'rnk' of a training; there are rank, alpha.*checkpoint_minutes"):
        carry_out(order_of("span", place, tmp_path / "run", settings={"rnk": 8}))
    with pytest.raises(UserError, match="no quantisation 'nf8'"):
        carry_out(order_of("judge", place, tmp_path / "run", settings={"quantise": "nf8", "rank": None}))


def test_orders_that_cannot_be_carried_out(place: Path, tmp_path: Path) -> None:
    """A start without an adapter, gold without answers, kinds and scorers that there are not."""
    with pytest.raises(UserError, match="holds no adapter"):
        carry_out(order_of("judge", place, tmp_path / "run", start=place))
    with pytest.raises(UserError, match="go together"):
        carry_out(JudgeOrder(files=(place / "train.jsonl",), out=tmp_path))
    wrong: Any = "crf"
    with pytest.raises(UserError, match="there is no scorer 'crf'; there are classifier and span"):
        carry_out(JudgeOrder(out=tmp_path, scorer=wrong))
    with pytest.raises(UserError, match="there is no filter 'crf'"):
        carry_out(FilterOrder(files=(), out=tmp_path, kind=wrong))


def test_an_evaluation_is_stopped_and_made_up_for(place: Path, tmp_path: Path) -> None:
    """Asked to stop while the finished adapter is scored: no score yet; the same order scores it."""
    order = order_of("tagger", place, tmp_path / "run", evaluate=place / "test.jsonl")
    card = order.out / "adapter" / "card.toml"
    asked = count()
    assert carry_out(order, stop=lambda: card.is_file() and next(asked) > 3).ending is Ending.STOPPED
    assert "scores" not in card_data(card)
    before = curve(order.out)
    outcome = carry_out(order)
    assert outcome.ending is Ending.DONE
    assert outcome.scores[0].startswith("test.jsonl, 3 documents")
    assert card_data(card)["scores"] == list(outcome.scores)
    assert curve(order.out) == before


def test_soft_labels_are_an_order_too(place: Path, tmp_path: Path) -> None:
    """Written whole, or not at all when stopped."""
    taggers = (carry_out(order_of("span", place, tmp_path / "teacher")).output,)
    soft = tmp_path / "soft.jsonl"
    order = SoftLabelOrder(files=(place / "train.jsonl",), out=soft, taggers=taggers, base=str(place / "base"))
    assert carry_out(order, stop=after(3)).ending is Ending.STOPPED
    assert not soft.exists()
    lines: list[str] = []
    assert carry_out(order, lines.append).output == soft
    assert lines[-1] == f"{len(soft.read_text(encoding='utf-8').splitlines())} sentences written"


def test_a_card_has_only_keys_that_its_readers_know(tmp_path: Path) -> None:
    """What is written is read back; a key that is not in the list of cards' keys is a defect, not a silence."""
    card = AdapterCard(name="mine", base="b", labels="cmeee-v2", strategy="symbol", style="full")
    write_card(tmp_path, card, {"seed": 0, "start": None, "scores": [], "epochs": 1.5})
    assert adapter_card(tmp_path) == card
    assert card_data(tmp_path / "card.toml").keys() == {"name", "base", "labels", "strategy", "style", "seed", "epochs"}
    with pytest.raises(ValueError, match="scroes"):
        write_card(tmp_path, card, {"scroes": []})


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_ends_a_command_with_a_checkpoint_and_one_word(place: Path, tmp_path: Path) -> None:
    """The step under way is finished; exit code 130 is explained once, and nobody is called interrupted."""
    arguments = ["judge", "--side-by-side", "both.jsonl", "--base", "base", "--rank", "4", "--first-layer", "0"]
    arguments += ["--epochs", "10000", "--checkpoint-every", "0", "-o", str(tmp_path / "run")]
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "medner.service.cli", "train", *arguments],
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stdout is not None
    while not (line := process.stderr.readline()).startswith("checkpoint"):
        assert line
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait() == 130, said
    assert said.count("stopped; the same command goes on from") == 1
    assert "interrupted" not in said
    assert process.stdout.read() == ""
    assert (tmp_path / "run" / "state.pt").is_file()
