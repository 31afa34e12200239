"""Reports of an evaluation: as data, as text, as a page."""
