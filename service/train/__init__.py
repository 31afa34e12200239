"""Trainings from files to a folder with its card."""
