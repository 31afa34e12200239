"""Starting the vLLM servers that a configuration needs."""

from medner.service.vllm_servers.command import Device, Plan, ServeCommand, ServerPart, Speculation, serve_commands
from medner.service.vllm_servers.running import Serving, serving

__all__ = ["Device", "Plan", "ServeCommand", "ServerPart", "Serving", "Speculation", "serve_commands", "serving"]
