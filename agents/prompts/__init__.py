"""What models are told: one module a role, texts and examples in data files beside them."""
