"""Filters that classify candidates, on vLLM servers: the model class that a server runs, its requests, who asks."""
