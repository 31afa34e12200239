"""The words that every package shares: records, errors, label sets, sentences, whole files, locks.

Imports nothing of medner.
"""
