"""Traces of runs: recorded, shown, forked with another judge, compared, exported, overruled, removed."""
