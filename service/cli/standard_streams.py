"""Standard input, output and error as they really are: closed, of another encoding, with a reader that goes away."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

#: What a program ends with whose reader has gone (128 and the number of SIGPIPE).
READER_GONE = 141


class ClosedOutput(io.TextIOBase):
    """A standard output that the caller has closed: what is written to it is an error, not lost in silence."""

    encoding = "utf-8"

    def write(self, text: str) -> int:  # noqa: ARG002
        """Always an OSError."""
        raise OSError(errno.EBADF, "standard output is closed")

    def writable(self) -> bool:
        """Whether something may be tried."""
        return True


def prepare_streams() -> None:
    """Makes standard output UTF-8, but on a terminal, whose encoding stays; what it cannot show is escaped.

    Data that goes into a file or a pipe is read again as UTF-8, whatever the locale says.
    """
    if sys.stdout is None:
        sys.stdout = cast("TextIO", ClosedOutput())
    elif isinstance(sys.stdout, io.TextIOWrapper):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def in_utf8_mode() -> None:
    """Starts the program again in Python's UTF-8 mode where the locale has another encoding for file names."""
    if sys.getfilesystemencoding().lower() in ("utf-8", "utf8") or sys.flags.utf8_mode:
        return
    arguments = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    os.execv(sys.executable, arguments)  # noqa: S606  the program itself


def flush_output() -> None:
    """Writes out what waits, so that a full disk or a reader that has gone is an error of the command."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def is_reader_gone(error: BaseException) -> bool:
    """Whether an error is that of a pipe whose reader ended, as ``| head`` does."""
    if not isinstance(error, BrokenPipeError):
        return False
    return any(_is_hung_up(stream) for stream in (sys.stdout, sys.stderr))


def drop_output() -> None:
    """Sends what cannot be written nowhere, so that the end of the process does not complain again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError:
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_hung_up(stream: Any) -> bool:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return False
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & (select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))
