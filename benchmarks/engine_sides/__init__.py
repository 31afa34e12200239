"""The modules behind benchmarks/engine.py."""
