"""Agents that give entities: by writing, or by scoring spans."""
