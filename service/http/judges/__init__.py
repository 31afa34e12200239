"""Judges over HTTP: defined, tested, put in place, brought back."""
