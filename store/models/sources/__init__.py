"""Places that base models come from."""
