"""What `medner doctor` finds."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from medner.core.findings import Finding, Level
from medner.service.config.configuration import Configuration
from medner.service.config.default import default_configuration
from medner.service.config.taggers import WritingTaggerConfig
from medner.service.doctor.checks import adapters, disk, number_formats, packages, processor
from medner.service.doctor.redis_check import redis_findings
from tests.tiny_model import save_tiny_model


def levels(findings: list[Finding]) -> list[Level]:
    """How bad each is."""
    return [finding.level for finding in findings]


def test_the_processors_instructions_are_shown(tmp_path: Path) -> None:
    """Little memory is a warning; how fast the processor is tells the finding about number formats."""
    (tmp_path / "cpu").write_text("flags\t: fpu avx2\n", encoding="utf-8")
    (tmp_path / "memory").write_text("MemAvailable: 1000000 kB\n", encoding="utf-8")
    found = list(processor(tmp_path / "cpu", tmp_path / "memory"))
    assert levels(found) == [Level.OK, Level.WARNING]
    assert "avx2" in found[0].what
    (tmp_path / "cpu").write_text("flags\t: fpu avx512f avx512_bf16\n", encoding="utf-8")
    (tmp_path / "memory").write_text("MemAvailable: 9000000 kB\n", encoding="utf-8")
    assert levels(list(processor(tmp_path / "cpu", tmp_path / "memory"))) == [Level.OK, Level.OK]


def test_number_formats_are_measured_and_the_one_in_use_is_named(tmp_path: Path, monkeypatch) -> None:
    """With the time of each; the configuration's own format overrules the fastest."""
    pytest.importorskip("torch")
    monkeypatch.setenv("MEDNER_CACHE", str(tmp_path))
    model = save_tiny_model(tmp_path / "model")
    configuration = default_configuration().model_copy(update={"model": str(model), "dtype": "f32"})
    (found,) = number_formats(configuration)
    assert found.what.startswith("f32 (microseconds a token for a layer's largest product: ")
    assert "bf16 " in found.what


def test_packages_only_a_local_engine_needs() -> None:
    """What is installed here is found."""
    assert all(finding.level is Level.OK for finding in packages(local=False))


def test_the_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    """The nearest parent's disk counts."""
    (finding,) = disk(tmp_path / "a" / "b")
    assert str(tmp_path) in finding.subject


def test_adapters_of_another_label_set_or_without_weights(tmp_path: Path) -> None:
    """Each tagger is told apart."""
    for name, labels in (("good", "cmeee-v2"), ("other", "ccks2019"), ("empty", "cmeee-v2")):
        folder = tmp_path / name
        folder.mkdir()
        card = f'base = "b"\nlabels = "{labels}"\nstrategy = "symbol"\n'
        (folder / "card.toml").write_text(card, encoding="utf-8")
        if name != "empty":
            (folder / "adapter_model.safetensors").write_bytes(b"")
    taggers = tuple(
        WritingTaggerConfig(name=one.name, strategy="symbol", adapter=one) for one in sorted(tmp_path.iterdir())
    )
    found = list(
        adapters(Configuration(model="b", taggers=(*taggers, WritingTaggerConfig(name="free", strategy="json"))))
    )
    by_name = {finding.subject: finding for finding in found}
    assert by_name["tagger good"].level is Level.OK
    assert "no adapter_model.safetensors" in by_name["tagger empty"].what
    assert "trained for the label set ccks2019" in by_name["tagger other"].what
    assert by_name["tagger free"].level is Level.OK


class PlayedRedis:
    """Answers commands by a table, on a socket of its own."""

    def __init__(self, replies: dict[str, bytes]) -> None:
        self.replies = replies
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://:secret@127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        link, _ = self.listener.accept()
        with link:
            while data := link.recv(4_096):
                link.sendall(self.replies[data.split(b"\r\n")[2].decode()])


def info(**facts: str) -> bytes:
    """An INFO reply."""
    body = "\r\n".join(["# Server", *(f"{key}:{value}" for key, value in facts.items())]).encode()
    return b"$%d\r\n%s\r\n" % (len(body), body)


def played(**facts: str) -> list[Finding]:
    """What is found at a played Redis."""
    return list(redis_findings(PlayedRedis({"AUTH": b"+OK\r\n", "PING": b"+PONG\r\n", "INFO": info(**facts)}).url))


def test_a_redis_as_it_should_be() -> None:
    """It answers, and that is all there is to say."""
    found = played(redis_version="8.2.1", aof_enabled="1", maxmemory_policy="noeviction")
    assert levels(found) == [Level.OK]
    assert "Redis 8.2.1" in found[0].what


def test_a_redis_that_forgets() -> None:
    """Old, without a file, evicting: each with its remedy, and never with the password."""
    found = played(redis_version="6.0.9", aof_enabled="0", maxmemory_policy="allkeys-lru")
    assert levels(found) == [Level.OK, Level.ERROR, Level.WARNING, Level.ERROR]
    assert "secret" not in json.dumps([finding.line() for finding in found])


def test_a_redis_that_is_not_there_or_refuses() -> None:
    """One line each."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (gone,) = redis_findings(f"redis://127.0.0.1:{port}")
    assert gone.level is Level.ERROR
    refusing = PlayedRedis({"AUTH": b"-WRONGPASS invalid\r\n"})
    (refused,) = redis_findings(refusing.url)
    assert "refuses the password" in refused.what
    assert levels(list(redis_findings("http://x"))) == [Level.ERROR]
    assert list(redis_findings(None)) == []
