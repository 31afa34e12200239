"""`medner train tagger` and `medner train recipes`, on a tiny random model."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from medner.core.errors import UserError
from tests.tiny_model import save_tiny_model

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
from medner.service.cli.train import group as train
from medner.service.train.progress import TrainingProgress
from medner.training.loop.loop import TrainingStep
from medner.training.loop.run import Step

SETTINGS = ("--first-layer", "0", "--learning-rate", "0.005", "--rank", "4", "--batch-tokens", "300", "--hours", "100")


def write_corpus(path: Path, numbers: range) -> Path:
    """Annotated sentences, one a number."""
    entities = [{"start": 8, "end": 10, "label": "sym"}, {"start": 11, "end": 15, "label": "sym"}]
    lines = [
        {"id": str(number), "text": f"患者{number}天前出现咳嗽、咽部充血。", "entities": entities} for number in numbers
    ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base model, a training file and a test file that shares texts with it."""
    folder = tmp_path_factory.mktemp("place")
    save_tiny_model(folder / "base")
    write_corpus(folder / "train.jsonl", range(10, 40))
    write_corpus(folder / "test.jsonl", range(35, 45))
    return folder


def run(*arguments: object) -> Result:
    """`medner train ...`; an error of ours is the result's exception."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    train.register(app)
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def tagger(place: Path, out: Path, *more: object) -> Result:
    """`medner train tagger` on the tiny model."""
    return run("tagger", place / "train.jsonl", "--base", place / "base", "-o", out, *SETTINGS, *more)


@pytest.fixture(scope="module")
def finished(place: Path) -> tuple[Path, Result]:
    """A whole run with its evaluation."""
    out = place / "finished"
    note = "Written by hand, free to use."
    result = tagger(
        place, out, "--evaluate", place / "test.jsonl", "--data-note", note, "--name", "first", "--epochs", 2
    )
    return out, result


def test_a_run_folder_holds_all_of_a_run(finished: tuple[Path, Result]) -> None:
    """Adapter, card, configuration, curve, picture, evaluation and predictions are there, and the last line says so."""
    out, result = finished
    assert result.exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        *("adapter", "config.json", "evaluation.json", "loss.jsonl", "loss.svg", "predictions.jsonl", "state.pt")
    ]
    assert sorted(path.name for path in (out / "adapter").iterdir()) == [
        *("adapter_config.json", "adapter_model.safetensors", "card.toml")
    ]
    last = result.stderr.splitlines()[-1]
    for path in (out / "adapter" / "card.toml", out / "loss.svg"):
        assert str(path) in last
    assert result.stdout == f"adapter: {out / 'adapter'}\n"


def test_the_card_tells_everything_and_no_folder(finished: tuple[Path, Result]) -> None:
    """The card names base, data with hashes, what training took, terms and scores; paths stay on the machine."""
    out, _ = finished
    text = (out / "adapter" / "card.toml").read_text(encoding="utf-8")
    assert str(out.parent) not in text
    card = tomllib.loads(text)
    assert {
        key: card[key] for key in ("name", "base", "labels", "strategy", "style", "examples", "epochs", "seed")
    } == {
        "name": "first",
        "base": "base",
        "labels": "cmeee-v2",
        "strategy": "symbol",
        "style": "brief",
        "examples": 25,
        "epochs": 2.0,
        "seed": 7,
    }
    assert [entry.split()[0] for entry in (*card["data"], *card["excluded"])] == ["train.jsonl", "test.jsonl"]
    assert card["licence_note"] == "See the base model's own licence. Written by hand, free to use."
    assert card["scores"][0].startswith("test.jsonl, 10 documents, 20 entities, strict micro: P ")
    assert "start" not in card
    words = shlex.split(card["command"])
    assert words[:4] == ["medner", "train", "tagger", "train.jsonl"]
    assert words[words.index("--data-note") + 1] == "Written by hand, free to use."
    assert words[words.index("--base") + 1] == "base"


def test_the_evaluation_is_that_of_medner_evaluate(finished: tuple[Path, Result]) -> None:
    """evaluation.json has n and the bootstrap interval, and its counts are those of the predictions beside it."""
    out, _ = finished
    report = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    predictions = [json.loads(line) for line in (out / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (report["gold"]["documents"], report["gold"]["entities"], report["systems"][0]["name"]) == (10, 20, "first")
    assert report["systems"][0]["overall"]["predicted"] == sum(len(one["entities"]) for one in predictions)
    assert {"value", "low", "high"} == set(report["systems"][0]["overall"]["f1"])
    assert str(out.parent) not in json.dumps(report)


def test_the_configuration_tells_what_was_run(finished: tuple[Path, Result]) -> None:
    """config.json has settings, data and versions, and no folder of this machine."""
    out, _ = finished
    text = (out / "config.json").read_text(encoding="utf-8")
    config = json.loads(text)
    assert str(out.parent) not in text
    assert config["settings"]["rank"] == 4
    assert config["settings"]["alpha"] == 8
    assert config["task"]["data"][0].startswith("train.jsonl sha256:")
    assert config["about"]["versions"]["torch"] == torch.__version__


def test_a_run_from_an_adapter_says_so_on_its_card(place: Path, finished: tuple[Path, Result]) -> None:
    """--start goes on from an adapter of the same shape, and the card names it with its hash."""
    out = place / "second"
    assert tagger(place, out, "--start", finished[0] / "adapter", "--seed", 8).exit_code == 0
    card = tomllib.loads((out / "adapter" / "card.toml").read_text(encoding="utf-8"))
    assert card["start"].startswith("first sha256:")


def test_a_dry_run_says_what_a_run_would_take_and_writes_nothing(place: Path, tmp_path: Path) -> None:
    """Examples, batches, memory and time are said; the run folder is not made."""
    result = tagger(place, tmp_path / "dry", "--dry-run")
    assert result.exit_code == 0
    for part in ("30 examples", "tokens an epoch", "memory: about", "batches,", "tokens/s (one step measured)"):
        assert part in result.stderr
    assert not (tmp_path / "dry").exists()


def test_a_run_that_needs_more_memory_than_there_is_does_not_begin(place: Path, tmp_path: Path) -> None:
    """The error comes before the weights are loaded, with the way out; --force is one."""
    # A vast model that is nothing but its configuration: loading it would fail with another message.
    vast = tmp_path / "vast"
    vast.mkdir()
    for file in (place / "base").iterdir():
        if file.suffix != ".safetensors":
            (vast / file.name).write_bytes(file.read_bytes())
    config = json.loads((vast / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_size": 65_536, "intermediate_size": 262_144, "num_attention_heads": 512, "head_dim": 128}
    (vast / "config.json").write_text(json.dumps(config), encoding="utf-8")
    command = ("tagger", place / "train.jsonl", "--base", vast, "-o", tmp_path / "out", "--first-layer", 0)
    refused = run(*command)
    assert isinstance(refused.exception, UserError)
    assert "of memory and" in str(refused.exception)
    assert "--batch-tokens" in str(refused.exception)
    forced = run(*command, "--force")
    assert "cannot be loaded" in str(forced.exception)


def test_wrong_names_are_said(place: Path, tmp_path: Path) -> None:
    """A strategy or a recipe there is not is the user's error, with those there are."""
    wrong = tagger(place, tmp_path / "out", "--strategy", "xml")
    assert "no strategy 'xml'; there are" in str(wrong.exception)
    wrong = tagger(place, tmp_path / "out", "--recipe", "gpt")
    assert "no recipe 'gpt': give one of" in str(wrong.exception)


def test_a_base_without_a_usable_tokenizer_is_said(place: Path, tmp_path: Path) -> None:
    """Without a chat template, and without a tokenizer."""
    base = save_tiny_model(tmp_path / "base")
    (base / "chat_template.jinja").unlink()
    wrong = tagger(place, tmp_path / "out", "--base", base)
    assert isinstance(wrong.exception, UserError)
    assert "no chat template" in str(wrong.exception)
    (base / "tokenizer.json").unlink()
    wrong = tagger(place, tmp_path / "out", "--base", base)
    assert isinstance(wrong.exception, UserError)
    assert f"{base}: its tokenizer cannot be loaded" in str(wrong.exception)


def test_options_win_over_the_recipe(place: Path, tmp_path: Path) -> None:
    """What the command line says replaces the recipe's value, and its other values hold."""
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'base = "unused"\narchitecture = "Qwen2ForCausalLM"\n[settings]\nrank = 2\nbatch_examples = 5\nepochs = 2\n',
        encoding="utf-8",
    )
    assert tagger(place, tmp_path / "out", "--recipe", recipe, "--epochs", 1).exit_code == 0
    settings = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))["settings"]
    assert (settings["rank"], settings["batch_examples"], settings["epochs"]) == (4, 5, 1)


def test_recipes_are_listed_and_shown() -> None:
    """As text, as JSON alone on stdout, and one of them as its file."""
    listed = run("recipes").stdout
    assert "glm-4-9b-chat\n" in listed
    found = json.loads(run("recipes", "--json").stdout)
    assert {"name", "base", "architecture", "remark", "settings"} == set(found[0])
    shown = run("recipes", "llama-3.1-8b-instruct").stdout
    assert tomllib.loads(shown)["settings"]["learning_rate"] == 1e-4


class Process:
    """`medner train tagger` in a process of its own, with a checkpoint after every step."""

    def __init__(self, place: Path, out: Path) -> None:
        arguments = ["tagger", "train.jsonl", "--base", "base", "-o", str(out), *SETTINGS]
        self._process = subprocess.Popen(  # noqa: S603
            [
                sys.executable,
                "-m",
                "medner.service.cli",
                "train",
                *arguments,
                "--epochs",
                "6",
                "--checkpoint-every",
                "0",
            ],
            cwd=place,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []

    def until_checkpoint(self, count: int) -> Process:
        """Reads until so many checkpoints are written."""
        while sum(line.startswith("checkpoint") for line in self.said) < count:
            line = self._stderr.readline()
            assert line, "".join(self.said)
            self.said.append(line)
        return self

    def ended(self, number: signal.Signals | None = None) -> int:
        """The exit code, after sending a signal."""
        if number is not None:
            self._process.send_signal(number)
        self.said += self._stderr.readlines()
        return self._process.wait()

    @property
    def _stderr(self):
        assert self._process.stderr is not None
        return self._process.stderr


def curve(run: Path) -> list[dict[str, float]]:
    """The loss curve without what a clock decides."""
    steps = [json.loads(line) for line in (run / "loss.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in step.items() if key != "seconds"} for step in steps]


@pytest.mark.timeout(900)  # two processes that load everything anew; slow where the machine is busy
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_and_a_stopped_run_go_on_with_the_same_curve(place: Path, tmp_path: Path) -> None:
    """Killed after a checkpoint, stopped, resumed: every step is there once, as in a run that was never broken.

    A stopped run (SIGTERM) exits with 130, leaves a usable adapter with its card, and says how to go on.
    """
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    killed = Process(place, broken).until_checkpoint(3)
    assert killed.ended(signal.SIGKILL) == -signal.SIGKILL
    # As after a kill in the middle of a line.
    with (broken / "loss.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"batch": 9999, "of"')
    stopped = Process(place, broken).until_checkpoint(3)
    assert stopped.ended(signal.SIGTERM) == 130
    assert "the same command goes on from " in "".join(stopped.said)
    assert "going on after batch" in "".join(stopped.said)
    assert 0 < len(curve(broken)) < 30
    card = tomllib.loads((broken / "adapter" / "card.toml").read_text(encoding="utf-8"))
    assert 0 < card["epochs"] < 6
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the processes: sums in another order differ in their last bits
    try:
        for out in (broken, whole):
            assert tagger(place, out, "--epochs", 6, "--checkpoint-every", 0).exit_code == 0
    finally:
        torch.set_num_threads(threads)
    assert len(curve(whole)) == 30
    assert curve(broken) == curve(whole)
    weights = "adapter/adapter_model.safetensors"
    assert (broken / weights).read_bytes() == (whole / weights).read_bytes()


def test_progress_is_said_now_and_then() -> None:
    """A line at the first step, every half a minute and at the end; the time left is that of data or limit."""
    said: list[str] = []
    clock = iter([0.0, 0.0, 5.0, 31.0, 31.0, 32.0, 32.0])
    progress = TrainingProgress(said.append, limit_s=100.0, resumed=100, spent_s=10.0, clock=lambda: next(clock))
    for batch, seconds in ((2, 12.0), (4, 14.0), (6, 16.0), (10, 20.0)):
        progress.step(TrainingStep(Step(batch, 10, 2.0, seconds, 100 + 50 * batch, 0.1), batch, batch / 10))
    assert said == [
        "batch 2 of 10, loss 2.0000, 50 tokens/s, 48 s left",
        "batch 6 of 10, loss 2.0000, 50 tokens/s, 11 s left",
        "batch 10 of 10, loss 2.0000, 50 tokens/s, 0 s left",
    ]
