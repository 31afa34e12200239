"""A Ray cluster of two nodes on this machine, which sends nothing anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Two cores by name: one for an actor, one for the tasks that read and write beside it.
_NODE = {"num_cpus": 2, "object_store_memory": 150_000_000}


#: By Ray's names. Other work of the machine must neither starve the nodes nor make Ray kill their processes; importing
#: torch may take longer than the minute that Ray waits for a process.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_worker_register_timeout_seconds": "180",
}


@dataclass(frozen=True, slots=True)
class TwoNodes:
    """The cluster and its second node; the driver and its head are the first."""

    cluster: Any
    second: Any

    def kill_second(self) -> None:
        """Ends the second node's processes as a power cut would."""
        self.cluster.remove_node(self.second, allow_graceful=False)


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """The cluster, with this process as its driver."""
    os.environ.update(_SETTINGS)
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**_NODE, "include_dashboard": False})
    try:
        second = cluster.add_node(**_NODE)
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, log_to_driver=False)
        yield TwoNodes(cluster, second)
    finally:
        ray.shutdown()
        cluster.shutdown()
