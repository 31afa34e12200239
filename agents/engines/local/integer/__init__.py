"""A model's body in eight-bit integers."""
