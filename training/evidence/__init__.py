"""Counts the strings of annotated corpora."""
