"""The `medner serve` process: started, asked, ended; and the commands about its keys."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.http_kit import environment, served, working
from tests.jobs_kit import wait_for

NOTE = {"documents": [{"id": "甲", "text": "患者咳嗽三天，行心电图检查。"}]}


def medner(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command on a data folder, ended."""
    command = [sys.executable, "-m", "medner.service.cli", *words]
    return subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


def test_a_note_goes_through_real_processes(tmp_path: Path) -> None:
    """Submit over HTTP, a worker beside, results over HTTP; SIGTERM ends it well; no text is in the log."""
    with served(tmp_path / "home") as running, working(running.home):
        with httpx.Client(base_url=running.url, timeout=30) as client:
            job = client.post("/v1/jobs", json=NOTE).json()["id"]
            wait_for(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "completed")
            (line,) = client.get(f"/v1/jobs/{job}/results").text.splitlines()
            assert '"text":"咳嗽"' in line
            assert "server" not in client.get("/").headers
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0
        log = running.log.read_text(encoding="utf-8")
    assert '"route": "/v1/jobs/{id}/results"' in log
    assert "咳嗽" not in log


def test_a_watcher_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """With an open event stream, Ctrl-C still ends the server within its grace."""
    with served(tmp_path / "home") as running, httpx.Client(base_url=running.url, timeout=30) as client:
        job = client.post("/v1/jobs", json=NOTE).json()["id"]
        with client.stream("GET", f"/v1/jobs/{job}/events") as response:
            assert next(response.iter_lines())
            running.process.send_signal(signal.SIGINT)
            assert running.process.wait(20) == 0


def test_the_end_drops_a_submit_under_way(tmp_path: Path) -> None:
    """A stream that is still coming when the server is ended has submitted nothing, and does not hold up the end."""
    go_on = threading.Event()

    def slow() -> Iterator[bytes]:
        yield json.dumps(NOTE["documents"][0]).encode() + b"\n"
        go_on.wait(30)

    def submit(url: str) -> None:
        with suppress(httpx.TransportError):
            httpx.post(f"{url}/v1/jobs", content=slow(), headers={"Content-Type": "application/x-ndjson"}, timeout=30)

    with served(tmp_path / "home") as running:
        sender = threading.Thread(target=submit, args=[running.url])
        sender.start()
        wait_for(lambda: httpx.get(f"{running.url}/v1/jobs").json()["total"] == 1)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0
        go_on.set()
        sender.join(10)
        assert json.loads(medner(running.home, "jobs", "list", "--json").stdout)["jobs"] == []


def test_keys_are_made_listed_and_taken_away_while_it_runs(tmp_path: Path) -> None:
    """The key is all of standard output; the server asks for it at once, and knows it no more when it is removed."""
    home = tmp_path / "home"
    with served(home) as running, httpx.Client(base_url=running.url, timeout=30) as client:
        assert client.get("/v1/jobs").status_code == 200
        key = medner(home, "serve", "keys", "add", "ward-7").stdout.strip()
        headers = {"Authorization": f"Bearer {key}"}
        assert (client.get("/v1/jobs").status_code, client.get("/v1/jobs", headers=headers).status_code) == (401, 200)
        listed = medner(home, "serve", "keys", "list").stdout
        assert "ward-7" in listed
        assert key not in listed
        assert "delete" in medner(home, "serve", "keys", "remove", "ward-7").stderr
        assert client.get("/v1/jobs", headers=headers).status_code == 401
        assert key not in running.log.read_text(encoding="utf-8")


def test_others_reach_it_only_with_a_key(tmp_path: Path) -> None:
    """An address that others can reach is refused while there is no key, with the command that makes one."""
    refused = medner(tmp_path / "home", "serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104  it is refused
    assert refused.returncode == 2
    assert "medner serve keys add" in refused.stderr


@pytest.mark.parametrize(
    "words", [("--tls-cert", "no.pem"), ("--labels", "no.toml"), ("--tls-cert", "a", "--tls-key", "b")]
)
def test_wrong_options_are_told_in_a_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Files that are not there, and one that lacks its partner, end it with code 2."""
    refused = medner(tmp_path / "home", "serve", "--port", "0", *words)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """Who has the port is another program: the message names the option."""
    with served(tmp_path / "home") as running, socket.create_server(("127.0.0.1", 0)) as taken:
        refused = medner(running.home, "serve", "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 2
    assert "--port" in refused.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_tls(tmp_path: Path) -> None:
    """With a certificate it speaks TLS, and its sessions' cookies go over TLS alone."""
    chain, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", private, "-out", chain], check=True, capture_output=True)  # noqa: S603
    home = tmp_path / "home"
    key = medner(home, "serve", "keys", "add", "a").stdout.strip()
    trusted = ssl.create_default_context(cafile=str(chain))
    with (
        served(home, "--tls-cert", str(chain), "--tls-key", str(private)) as running,
        httpx.Client(base_url=running.url, verify=trusted) as client,
    ):
        assert running.url.startswith("https://")
        assert "Secure" in client.post("/v1/session", json={"key": key}).headers["set-cookie"]
        assert client.get("/v1/jobs").status_code == 200
