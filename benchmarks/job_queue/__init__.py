"""The modules behind benchmarks/jobs.py."""
