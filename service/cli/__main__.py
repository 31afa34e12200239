"""`python -m medner.service.cli` and the `medner` script."""

import os
import signal
import sys
from collections.abc import Callable

from medner.service.cli.app import main
from medner.service.cli.standard_streams import drop_output, in_utf8_mode, prepare_streams


def run(command_line: Callable[[], int] = main) -> None:
    """Runs the command line and ends the process with its exit code."""
    in_utf8_mode()
    prepare_streams()
    code = command_line()
    # What is left is the interpreter's own end, in which Ctrl-C would show a traceback.
    signal.signal(signal.SIGINT, lambda *_: os._exit(code))
    drop_output()
    if code == 130:
        # Threads that still compute would be waited for, and the next Ctrl-C would show a traceback.
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
