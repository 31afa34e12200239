"""Servers are started, waited for and stopped, with all they have started."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from medner.core.errors import ExternalError, UserError
from medner.service.vllm_servers.command import ServeCommand
from medner.service.vllm_servers.running import serving
from tests.free_port import free_port

#: A server that starts a child of its own, as vLLM does, writes its pid, and answers everything.
SERVER = """
import http.server, pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[2]).write_text(str(child.pid))
class Yes(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Yes).serve_forever()
"""


def command(port: int, *arguments: str, code: str = SERVER) -> ServeCommand:
    """A server in Python."""
    return ServeCommand(f"s-{port}", f"http://127.0.0.1:{port}", (sys.executable, "-c", code, str(port), *arguments))


def lives(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")
def test_a_server_runs_while_it_is_needed_and_its_children_end_with_it(tmp_path: Path) -> None:
    """Nothing is left behind."""
    child = tmp_path / "child"
    with serving([command(free_port(), str(child))], tmp_path / "logs") as (server,):
        assert server.ready()
        pid = int(child.read_text())
        assert lives(pid)
        assert "listening" in server.tail()
    assert server.ended
    # The signal went to the child too; on a busy machine it may die a moment later.
    until = time.monotonic() + 10
    while lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not lives(pid)


def test_a_server_that_dies_shows_its_last_lines(tmp_path: Path) -> None:
    """The reason stands in the error."""
    dying = command(free_port(), code="print('no such adapter'); raise SystemExit(3)")
    with pytest.raises(ExternalError, match="no such adapter"), serving([dying], tmp_path):
        pass


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """After the patience, with what it said; and it is stopped."""
    stuck = command(free_port(), code="import time; print('loading', flush=True); time.sleep(600)")
    with pytest.raises(ExternalError, match="not ready after"), serving([stuck], tmp_path, patience_s=1):
        pass


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    """Before anything is started; requests would go to a stranger."""
    port = free_port()
    one = command(port, str(tmp_path / "child"))
    with serving([one], tmp_path), pytest.raises(UserError, match="answers there already"), serving([one], tmp_path):
        pass


def test_a_python_that_is_not_there(tmp_path: Path) -> None:
    """The way to get one is named."""
    missing = ServeCommand("x", f"http://127.0.0.1:{free_port()}", ("/no/such/python",))
    with pytest.raises(UserError, match=r"vllm_environment\.sh"), serving([missing], tmp_path):
        pass
