"""The modules behind benchmarks/queue.py."""
