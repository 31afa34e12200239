import hashlib
import json

import pytest

from medner.core.errors import ExternalError, UserError
from medner.store.models import ModelStore, PullProgress, PullStage, read_manifest
from medner.store.models.catalogue import Catalogue, CatalogueEntry, Repository
from medner.store.models.sources.hub import Hub

pytest.importorskip("huggingface_hub", reason="needs the local extra")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENTRY = CatalogueEntry("tiny", hub=Repository("org/tiny", "main", 100))
WEIGHTS = b"weights" * 3000
FILES = {
    "config.json": b'{"architectures": ["TinyForCausalLM"], "dtype": "bfloat16"}',
    "model.safetensors": WEIGHTS,
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"pickle",
    "modeling_tiny.py": b"raise SystemExit",
}


@pytest.fixture
def hub(server):
    siblings = []
    for name, body in FILES.items():
        digest = hashlib.sha256(body).hexdigest()
        path = f"/org/tiny/resolve/{COMMIT}/{name}"
        server.put(path, body)
        server.headers[path] = {"X-Repo-Commit": COMMIT, "ETag": f'"{digest}"'}
        lfs = {"lfs": {"sha256": digest, "size": len(body), "pointerSize": 1}} if name == "model.safetensors" else {}
        siblings.append({"rfilename": name, "size": len(body), "blobId": "b", **lfs})
    info = {"id": "org/tiny", "modelId": "org/tiny", "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
    server.put("/api/models/org/tiny/revision/main", json.dumps(info).encode(), "application/json")
    return Hub(server.url)


def pull(tmp_path, hub, report=lambda progress: None):
    made = ModelStore(tmp_path, catalogue=Catalogue((ENTRY,)), sources=lambda revision: (hub,))
    return made.pull("tiny", progress=report)


def test_progress_is_told_where_bars_are_switched_off(tmp_path, hub):
    """Whoever switched the hub's own bars off, in this process or by an environment variable, still hears of bytes."""
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    seen: list[PullProgress] = []
    disable_progress_bars()
    try:
        pull(tmp_path, hub, seen.append)
    finally:
        enable_progress_bars()
    assert any(progress.stage is PullStage.DOWNLOADING and progress.done for progress in seen)


def test_one_commit_without_code_and_pickles(tmp_path, hub):
    """The branch is resolved to a commit, its model files come, the manifest names the commit; progress is in bytes."""
    seen: list[PullProgress] = []
    folder = pull(tmp_path, hub, seen.append)
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "medner-model.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert read_manifest(folder).revision == COMMIT
    downloading = [progress for progress in seen if progress.stage is PullStage.DOWNLOADING]
    assert downloading[-1].done == downloading[-1].total


def test_weights_with_another_hash_are_kept_aside(tmp_path, hub, server):
    """Weights that are not what the hub's listing says are never installed."""
    path = f"/org/tiny/resolve/{COMMIT}/model.safetensors"
    server.put(path, WEIGHTS[::-1])
    with pytest.raises(ExternalError, match=r"model\.safetensors"):
        pull(tmp_path, hub)


def test_a_hub_that_does_not_answer_is_an_outside_error(tmp_path, hub, server):
    """No such repository, or nobody listening, is one line that names the repository."""
    server.pages.clear()
    with pytest.raises(ExternalError, match="hub org/tiny"):
        pull(tmp_path, hub)
    with pytest.raises(ExternalError, match="hub org/tiny"):
        pull(tmp_path, Hub("http://127.0.0.1:9"))


def test_a_model_without_hub_repository(tmp_path, hub):
    """A model that has no hub repository says where to look."""
    with pytest.raises(UserError, match="medner models list"):
        hub.fetch(CatalogueEntry("other"), tmp_path, lambda progress: None)
