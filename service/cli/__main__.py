"""`python -m medner.service.cli` and the `medner` script."""

import os
import sys

from medner.service.cli.app import main
from medner.service.cli.standard_streams import drop_output, in_utf8_mode, prepare_streams


def run() -> None:
    """Runs the command line and ends the process with its exit code."""
    in_utf8_mode()
    prepare_streams()
    code = main()
    drop_output()
    if code == 130:
        # Threads that still compute would be waited for, and the next Ctrl-C would show a traceback.
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
