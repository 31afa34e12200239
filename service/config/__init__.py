"""Configurations: files, defaults, options, judges, adapter cards, and the same on another machine."""
