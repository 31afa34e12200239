import hashlib
import json

import pytest

from medner.core.errors import ExternalError, UserError
from medner.store.models import ModelStore, read_manifest
from medner.store.models.catalogue import Catalogue, CatalogueEntry, Repository
from medner.store.models.sources.modelscope import ModelScope

API = "/api/v1/models/org/tiny/repo"
ENTRY = CatalogueEntry("tiny", modelscope=Repository("org/tiny", "master", 100))
FILES = {
    "config.json": b'{"architectures": ["TinyForCausalLM"], "dtype": "bfloat16"}',
    "model.safetensors": b"weights" * 3000,
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"pickle",
    "modeling_tiny.py": b"raise SystemExit",
}


@pytest.fixture
def scope(server):
    listed = []
    for name, body in FILES.items():
        server.put(f"{API}?Revision=v1&FilePath={name}", body)
        sha256 = hashlib.sha256(body).hexdigest()
        listed.append({"Path": name, "Name": name, "Size": len(body), "Sha256": sha256, "Type": "blob", "Mode": "1"})
    listed.append({"Path": "sub", "Size": 0, "Type": "tree"})
    page = {"Code": 200, "Data": {"Files": listed}, "Success": True}
    server.put(f"{API}/files", json.dumps(page).encode(), "application/json")
    return ModelScope(server.url, revision="v1", attempts=1)


def pull(tmp_path, scope):
    return ModelStore(tmp_path, catalogue=Catalogue((ENTRY,)), sources=lambda revision: (scope,)).pull("tiny")


def test_model_files_come_with_their_hashes(tmp_path, scope):
    """Weights, configuration and tokenizer of the pinned revision come, pickles and code do not."""
    folder = pull(tmp_path, scope)
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert not (folder / "pytorch_model.bin").exists()
    assert not (folder / "modeling_tiny.py").exists()
    manifest = read_manifest(folder)
    assert (manifest.source, manifest.revision, manifest.dtype) == ("modelscope", "v1", "bfloat16")


def test_broken_file_goes_on(tmp_path, scope, server):
    """A break in the weights is taken up at its byte by the next pull."""
    weights = f"{API}?Revision=v1&FilePath=model.safetensors"
    server.cuts[weights] = [700, 0]
    with pytest.raises(ExternalError, match="700 bytes are kept"):
        pull(tmp_path, scope)
    server.cuts.clear()
    pull(tmp_path, scope)
    assert server.ranges_of(weights)[-1] == "bytes=700-"


def test_wrong_hash_is_an_error(tmp_path, scope, server):
    """A file that is not what the list says is kept aside."""
    server.put(f"{API}?Revision=v1&FilePath=tokenizer.json", b"[]")
    with pytest.raises(ExternalError, match=r"tokenizer\.json: SHA-256"):
        pull(tmp_path, scope)


def test_answers_that_are_no_list(tmp_path, scope, server):
    """A server that answers something else, or has no such repository, is an outside error."""
    server.put(f"{API}/files", b"<html>", "text/html")
    with pytest.raises(ExternalError, match="not a list of files"):
        pull(tmp_path, scope)
    del server.pages[f"{API}/files"]
    with pytest.raises(ExternalError, match="404"):
        pull(tmp_path, scope)


def test_a_repository_of_pickles_is_refused(tmp_path, scope, server):
    """A repository without safetensors is refused before anything is downloaded."""
    page = {"Data": {"Files": [{"Path": "pytorch_model.bin", "Size": 6}]}}
    server.put(f"{API}/files", json.dumps(page).encode(), "application/json")
    with pytest.raises(UserError, match=r"lacks \*\.safetensors"):
        pull(tmp_path, scope)
