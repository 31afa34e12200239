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
    told: dict[str, Any] = json.loads(json.dumps(vars(parsed(arguments)), default=str))
    return told


def memory(arguments: list[str]) -> dict[str, int]:
    """The bytes of what vLLM allocates for a command line: its model on the processor, with adapter slots and cache."""
    from vllm.config import set_current_vllm_config
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.utils.network_utils import get_distributed_init_method, get_loopback_ip, get_open_port
    from vllm.v1.worker.cpu_worker import CPUWorker

    settings = AsyncEngineArgs.from_cli_args(parsed(arguments)).create_engine_config()
    where = get_distributed_init_method(get_loopback_ip(), get_open_port())
    worker = CPUWorker(settings, local_rank=0, rank=0, distributed_init_method=where, is_driver_worker=True)
    with set_current_vllm_config(settings):
        worker.init_device()
        worker.load_model()
    runner = worker.model_runner
    weights = sum(one.nbytes for one in runner.model.parameters()) + sum(map(_packed, runner.model.modules()))
    stacks = [
        tensor
        for module in runner.model.modules()
        for name in ("lora_a_stacked", "lora_b_stacked")
        for tensor in _tensors(getattr(module, name, ()))
    ]
    specs = runner.get_kv_cache_spec().values()
    return {
        "weights": weights,
        "adapters": sum({one.data_ptr(): one.nbytes for one in stacks}.values()),
        "token": sum(spec.page_size_bytes // spec.block_size for spec in specs),
    }


def _packed(module: Any) -> int:
    """The bytes of a linear layer whose weight the processor's kernels have packed for themselves; 0 for others."""
    from vllm.model_executor.layers.linear import LinearBase

    if not isinstance(module, LinearBase) or module.weight.numel():
        return 0
    outputs = getattr(module, "output_size_per_partition", module.output_size)
    inputs = getattr(module, "input_size_per_partition", module.input_size)
    return int(inputs * outputs * module.params_dtype.itemsize)


def _tensors(several: Any) -> tuple[Any, ...]:
    return several if isinstance(several, tuple) else (several,)


if __name__ == "__main__":
    ask = {"parse": as_data, "memory": memory}[sys.argv[1]]
    sys.stdout.write(json.dumps([ask(line) for line in json.load(sys.stdin)]) + "\n")
