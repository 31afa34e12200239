"""Scores, error classes, differences and their intervals."""
