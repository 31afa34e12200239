"""Trains the judge that gives candidates probabilities."""
