"""Exemplars of a corpus: its entities in context, clustered type by type (§3.3, step 3)."""
