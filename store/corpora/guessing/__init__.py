"""Which format a file or folder is in."""
