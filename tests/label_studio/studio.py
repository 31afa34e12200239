"""A real Label Studio on a data folder of its own, spoken to by its API."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.free_port import free_port

TOKEN = "0123456789abcdef" * 2 + "01234567"
EMAIL, PASSWORD = "first@example.org", "a-word-of-a-test"
#: Its first start makes a data base.
_READY_S = 600


@dataclass(frozen=True)
class Studio:
    """A running Label Studio: its address, and a client of its API."""

    url: str
    api: httpx.Client
    log: Path

    def project(self, config: str, tasks: Sequence[dict[str, Any]] = ()) -> int:
        """A project with a labelling config and tasks."""
        made = self.checked("POST", "/api/projects", json={"title": "notes", "label_config": config})
        number = int(made["id"])
        if tasks:
            self.checked("POST", f"/api/projects/{number}/import", json=list(tasks))
        return number

    def connect(self, project: int, url: str, **settings: Any) -> httpx.Response:
        """What Label Studio answers when a backend is connected."""
        return self.api.post("/api/ml", json={"project": project, "url": url, "title": "medner", **settings})

    def tasks(self, project: int) -> list[int]:
        """The numbers of a project's tasks, in order."""
        return sorted(int(one["id"]) for one in self.checked("GET", f"/api/projects/{project}/tasks"))

    def retrieve(self, project: int) -> dict[int, dict[str, Any]]:
        """The predictions of a project by task, retrieved as the button of the Data Manager does it."""
        chosen = {"selectedItems": {"all": True, "excluded": []}}
        self.checked("POST", f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}", json=chosen)
        return {int(one["task"]): one for one in self.checked("GET", f"/api/predictions?project={project}")}

    def export(self, project: int, form: str) -> bytes:
        """An export of a project."""
        answer = self.api.get(f"/api/projects/{project}/export?exportType={form}&download_all_tasks=true")
        assert answer.status_code == 200, answer.text[:500]
        return answer.content

    def checked(self, method: str, path: str, **body: Any) -> Any:
        """What the API answers, where it is no error."""
        answer = self.api.request(method, path, **body)
        assert answer.is_success, f"{method} {path}: {answer.text[:2_000]}"
        return answer.json()


@contextmanager
def studio(program: Path, home: Path) -> Iterator[Studio]:
    """A Label Studio while the block lasts. It may connect to this machine's own addresses, and calls nobody else."""
    port, log = free_port(), home / "label-studio.log"
    settings = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(home / "data"),
        "LABEL_STUDIO_USERNAME": EMAIL,
        "LABEL_STUDIO_PASSWORD": PASSWORD,
        "LABEL_STUDIO_USER_TOKEN": TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        "LATEST_VERSION_CHECK": "false",
        "COLLECT_ANALYTICS": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEDNER_", "LABEL_STUDIO_"))}
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            [str(program), "start", "--no-browser", "--port", str(port), "--internal-host", "127.0.0.1"],
            env={**kept, **settings},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, headers={"Authorization": f"Token {TOKEN}"}, timeout=120) as api:
            _wait(process, api, log)
            yield Studio(url, api, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(process: subprocess.Popen[bytes], api: httpx.Client, log: Path) -> None:
    end = time.monotonic() + _READY_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if api.get("/health").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"Label Studio did not start: {log.read_text(encoding='utf-8', errors='replace')[-3_000:]}")
