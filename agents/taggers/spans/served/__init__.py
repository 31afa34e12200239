"""Span taggers on vLLM servers: the model class that a server runs, its weights, and who asks for their states."""
