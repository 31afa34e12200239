"""The files that a command reads."""
