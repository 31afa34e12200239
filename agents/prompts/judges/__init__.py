"""The judges' questions as versioned files."""
