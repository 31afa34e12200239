"""Adapters that ship with medner, as data."""
