"""Judges side by side on the conflicts of real taggers: the benchmark of benchmarks/judges.py."""
