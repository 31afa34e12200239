"""The `medner` command: one module a subcommand, in commands/ or in its group's folder, with ``register(app)``."""

from medner.service.cli.app import main

__all__ = ["main"]
