"""The embedded Valkey, as a real process."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from medner.core.errors import ExternalError
from medner.store.redis.embedded import EmbeddedValkey


@contextmanager
def _client(server: EmbeddedValkey) -> Iterator[Redis]:
    with Redis.from_url(server.url, protocol=2) as client:
        yield client


def _process(server: EmbeddedValkey) -> int:
    with _client(server) as client:
        return int(client.info("server")["process_id"])


def _wait_until_free(server: EmbeddedValkey) -> None:
    end = time.monotonic() + 20
    while not server.is_free():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_first_who_needs_it_starts_it_and_the_others_share_it(embedded: EmbeddedValkey) -> None:
    """Many at once: one server, which all use."""
    with ThreadPoolExecutor(8) as threads:
        started = list(threads.map(lambda _: embedded.ensure(), range(8)))
    assert sum(started) == 1
    assert not embedded.ensure()


def test_a_killed_server_has_lost_nothing_it_confirmed(embedded: EmbeddedValkey) -> None:
    """kill -9 and another start: what was answered is there."""
    embedded.ensure()
    with _client(embedded) as client:
        for number in range(500):
            client.rpush("notes", f"病历{number}")
    os.kill(_process(embedded), signal.SIGKILL)
    _wait_until_free(embedded)
    assert embedded.ensure()
    with _client(embedded) as client:
        assert client.llen("notes") == 500


def test_it_outlives_the_process_that_started_it(embedded: EmbeddedValkey, tmp_path: Path) -> None:
    """A starter that is killed with its whole group leaves the server running."""
    program = (
        "import sys, time; from pathlib import Path; from medner.store.redis.embedded import EmbeddedValkey\n"
        "EmbeddedValkey(Path(sys.argv[1])).ensure(); print('up', flush=True); time.sleep(60)"
    )
    starter = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", program, str(embedded.folder)], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    assert embedded.answers()
    assert not embedded.ensure()


def test_it_ends_cleanly_and_starts_again_with_its_data(embedded: EmbeddedValkey) -> None:
    """stop() leaves no process and keeps the data."""
    embedded.ensure()
    with _client(embedded) as client:
        client.set("key", "值")
    assert embedded.stop()
    assert not embedded.stop()
    assert embedded.ensure()
    with _client(embedded) as client:
        assert client.get("key") == "值".encode()


def test_a_server_that_stands_still_gets_no_second_one_beside_it(
    embedded: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers on one append-only file would destroy it: a stopped process keeps the folder."""
    embedded.ensure()
    process = _process(embedded)
    monkeypatch.setattr("medner.store.redis.embedded._PATIENCE_S", 0.5)
    os.kill(process, signal.SIGSTOP)
    try:
        with pytest.raises(ExternalError, match="does not answer"):
            embedded.ensure()
    finally:
        os.kill(process, signal.SIGCONT)
    assert _process(embedded) == process


def test_only_its_user_may_reach_it(embedded: EmbeddedValkey) -> None:
    """No port, a socket and a folder for the user alone, and a full memory refuses instead of forgetting."""
    embedded.ensure()
    assert stat.S_IMODE(embedded.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(embedded.socket.stat().st_mode) == 0o700
    with _client(embedded) as client:
        assert client.config_get("port", "maxmemory-policy", "appendonly") == {
            "port": "0",
            "maxmemory-policy": "noeviction",
            "appendonly": "yes",
        }


def test_a_folder_with_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    """A Unix socket's path has a limit; a deep folder is no reason to fail."""
    server = EmbeddedValkey(tmp_path.joinpath(*["非常长的文件夹名称"] * 6) / "redis")
    assert len(os.fsencode(server.socket)) <= 100
    try:
        assert server.ensure()
        assert server.answers()
    finally:
        server.stop()
        server.socket.parent.rmdir()
