"""A PostgreSQL server of the tests' own: in a new folder, on a socket in it, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Debian keeps the server's programs out of PATH.
_DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path:
    """The folder with initdb and pg_ctl; skips the test where there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(_DEBIAN.glob("*/bin"))
    if not folders or not (folders[-1] / "initdb").is_file():
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return folders[-1]


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of an empty server. It refuses to run as root, so root runs it as the user postgres."""
    where = programs()
    user = "postgres" if os.geteuid() == 0 else None
    # pytest's own folders may be entered by their owner alone, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="medner-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        command = [str(where / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, timeout=120)  # noqa: S603

    try:
        run("initdb", "--auth=trust", "--username=medner", "--encoding=UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://medner:secret@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
