"""Training of span taggers."""
