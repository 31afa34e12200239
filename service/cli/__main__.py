"""`python -m medner.service.cli` and the `medner` script."""

import sys

from medner.service.cli.app import main


def run() -> None:
    """Runs the command line and ends the process with its exit code."""
    sys.exit(main())


if __name__ == "__main__":
    run()
