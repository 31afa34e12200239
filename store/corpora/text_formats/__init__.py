"""Formats in lines of text or tables, one file a format."""
