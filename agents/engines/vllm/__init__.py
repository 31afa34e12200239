"""The engine that asks vLLM servers, and the drafter those servers can run."""
