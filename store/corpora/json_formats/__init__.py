"""Formats in JSON, one file a format."""
