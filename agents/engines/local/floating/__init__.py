"""A model's body in floating point, as transformers computes it."""
