"""Span tagging: a score for every start, end and type, in one forward pass of the language model."""
