"""Starting the vLLM servers that a configuration needs."""

from medner.service.vllm_servers.command import Device, Part, Plan, ServeCommand, Speculation, serve_commands
from medner.service.vllm_servers.running import Serving, serving

__all__ = ["Device", "Part", "Plan", "ServeCommand", "Serving", "Speculation", "serve_commands", "serving"]
