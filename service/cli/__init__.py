"""The `medner` command: one module a subcommand, each with ``register(app)``."""

from medner.service.cli.app import main

__all__ = ["main"]
