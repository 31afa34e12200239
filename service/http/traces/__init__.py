"""Traces over HTTP: runs, sentences, forks, people's decisions. The operations are those of medner.service.traces."""
