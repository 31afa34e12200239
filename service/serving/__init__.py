"""Starting the vLLM servers that a configuration needs."""

from medner.service.serving.command import Device, Part, Plan, ServeCommand, Speculation, serve_commands
from medner.service.serving.running import Serving, serving

__all__ = ["Device", "Part", "Plan", "ServeCommand", "Serving", "Speculation", "serve_commands", "serving"]
