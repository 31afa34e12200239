"""Run by vLLM's Python, not by the tests': what vLLM's own code says of command lines and of memory.

    python vllm_facts.py parse < lines.json      # [[argument, ...], ...] -> [{option: value}, ...]
    python vllm_facts.py memory < lines.json     # -> [{"weights": bytes, "adapters": ..., "token": ...}, ...]

No server is started and no GPU is needed. The answer is the last line of the output, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def parsed(arguments: list[str]) -> Any:
    """The options as the API server parses and checks them."""
    from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    options = make_arg_parser(FlexibleArgumentParser()).parse_args(arguments)
    validate_parsed_serve_args(options)
    return options


def as_data(arguments: list[str]) -> dict[str, Any]:
    """The values of all options, as far as JSON has them."""
    return json.loads(json.dumps(vars(parsed(arguments)), default=str))


def memory(arguments: list[str]) -> dict[str, int]:
    """The bytes of what vLLM allocates for a command line: its model on the processor, with adapter slots and cache."""
    from vllm import LLM
    from vllm.engine.arg_utils import AsyncEngineArgs

    settings = AsyncEngineArgs.from_cli_args(parsed(arguments))
    chosen = ("model", "dtype", "max_model_len", "enable_lora", "max_loras", "max_lora_rank", "enforce_eager")
    engine = LLM(**{name: getattr(settings, name) for name in chosen})
    runner = engine.llm_engine.model_executor.driver_worker.worker.model_runner
    weights = {one.data_ptr(): one.nbytes for one in runner.model.parameters()}
    stacks = [
        tensor
        for module in runner.model.modules()
        for name in ("lora_a_stacked", "lora_b_stacked")
        for tensor in _tensors(getattr(module, name, ()))
    ]
    specs = runner.get_kv_cache_spec().values()
    return {
        "weights": sum(weights.values()),
        "adapters": sum({one.data_ptr(): one.nbytes for one in stacks}.values()),
        "token": sum(spec.page_size_bytes // spec.block_size for spec in specs),
    }


def _tensors(several: Any) -> tuple[Any, ...]:
    return several if isinstance(several, tuple) else (several,)


if __name__ == "__main__":
    ask = {"parse": as_data, "memory": memory}[sys.argv[1]]
    sys.stdout.write(json.dumps([ask(line) for line in json.load(sys.stdin)]) + "\n")
