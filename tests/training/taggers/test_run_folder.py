"""A run folder: what a run goes on from, and what it refuses to go on with."""

import json

import pytest

from medner.core.errors import BadInputError, UserError

torch = pytest.importorskip("torch")
from medner.training.loop.run import RunFacts, RunFolder
from medner.training.taggers.learner import TaggerLearner
from tests.loss_curves import losses
from tests.training.taggers.runs_kit import run_of, settings, tagger_run


def test_a_run_that_was_killed_goes_on_with_the_same_curve(base, examples, tmp_path):
    """A run stopped after a checkpoint and started again has the loss curve of one that was never stopped."""
    whole = run_of(base, tmp_path / "whole", examples, settings())
    whole.train()

    class KilledError(Exception):
        pass

    first = run_of(base, tmp_path / "parts", examples, settings(checkpoint_every_s=0.0))

    def kill(progress):
        if progress.step.batch >= 6:
            raise KilledError

    with pytest.raises(KilledError):
        first.train(kill)
    second = run_of(base, tmp_path / "parts", examples, settings())
    assert 0 < second.done < 6
    done = second.done
    second.train()
    steps = done // settings().batches_per_step
    assert steps > 0
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_what_fits_older_weights_goes_with_the_first_step(base, examples, tmp_path):
    """A card of an earlier end says a threshold that newer weights do not have; without further steps it stays."""
    chosen = settings(epochs=1.0)
    learner = TaggerLearner(base, examples, chosen)
    tagger_run(learner, tmp_path, examples, chosen, last=["card.toml"]).train()
    card = tmp_path / "adapter" / "card.toml"
    card.write_text("threshold = 0.4\n")
    tagger_run(learner, tmp_path, examples, chosen, last=["card.toml"]).train()
    assert card.is_file()
    more = settings(epochs=2.0)
    assert not tagger_run(learner, tmp_path, examples, more, last=["card.toml"]).train(stop=lambda: True)
    assert not card.is_file()


def test_a_time_limit_ends_with_a_usable_adapter(base, examples, tmp_path):
    """When the time is over the adapter is there, although the data is not used up."""
    trainer = run_of(base, tmp_path, examples, settings(time_limit_s=1e-6))
    trainer.train()
    assert trainer.done < len(trainer.batches)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


def test_a_run_folder_with_other_settings_is_refused(base, examples, tmp_path):
    """Going on with another learning rate would make it another run; the error names the setting."""
    run_of(base, tmp_path, examples, settings(time_limit_s=1e-6)).train()
    with pytest.raises(UserError, match=r"other settings \(learning_rate\)"):
        run_of(base, tmp_path, examples, settings(learning_rate=1.0))


def test_a_run_folder_with_other_data_is_refused(base, examples, tmp_path):
    """What the run was made for counts as well as its settings; more time does not make it another run."""
    short = settings(time_limit_s=1e-6)
    run_of(base, tmp_path, examples, short, facts=RunFacts(task={"data": ["a.json sha256:00"]})).train()
    with pytest.raises(UserError, match=r"other settings \(data\)"):
        run_of(base, tmp_path, examples, short, facts=RunFacts(task={"data": ["b.json sha256:11"]}))
    run_of(base, tmp_path, examples, settings(), facts=RunFacts(task={"data": ["a.json sha256:00"]}))


def test_a_run_folder_of_an_older_version_is_gone_on_with(tmp_path):
    """What its config.json does not tell is not compared; what it tells is."""
    folder = RunFolder(tmp_path)
    folder.begin({"task": {"kind": "span"}}, done=0)
    folder.save_state({})
    folder.check({"task": {"kind": "span", "base": "b"}, "settings": {"rank": 4}})
    with pytest.raises(UserError, match=r"other settings \(kind\)"):
        folder.check({"task": {"kind": "llm-cls", "base": "b"}})


def test_a_damaged_checkpoint_is_said(tmp_path):
    """A checkpoint that lost its bytes names its file and the way out."""
    folder = RunFolder(tmp_path)
    folder.save_state({"done": 3, "masters": [torch.zeros(300)]})
    whole = (tmp_path / "state.pt").read_bytes()
    for damaged in (b"", b"nothing", b"\0" * len(whole), whole[: len(whole) // 2]):
        (tmp_path / "state.pt").write_bytes(damaged)
        with pytest.raises(BadInputError, match=r"state\.pt: is damaged; remove it"):
            folder.state()


def test_a_loss_curve_torn_by_a_kill_is_read_up_to_the_tear(tmp_path):
    """A half-written last line is left out; a broken line before it is an error that names the line."""
    line = json.dumps({"batch": 1, "of": 3, "loss": 2.0, "seconds": 0.1, "tokens": 9, "rate": 0.1})
    (tmp_path / "loss.jsonl").write_text(f'{line}\n{{"batch": 2, "of"')
    assert [step.batch for step in RunFolder(tmp_path).curve()] == [1]
    (tmp_path / "loss.jsonl").write_text(f"{line}\nbroken\n{line}\n")
    with pytest.raises(BadInputError, match=r"loss\.jsonl:2"):
        RunFolder(tmp_path).curve()


def test_a_run_that_is_asked_to_stop_saves_and_says_so(base, examples, tmp_path):
    """Stopping ends after the step under way, with adapter and checkpoint; the run goes on from there."""
    trainer = run_of(base, tmp_path, examples, settings())
    asked = iter([False, False, True])
    assert not trainer.train(stop=lambda: next(asked))
    assert (trainer.done, len(losses(tmp_path))) == (4, 2)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    assert run_of(base, tmp_path, examples, settings()).done == 4
