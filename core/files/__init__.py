"""Files that appear whole, their names, locks and hashes, and the data folder."""
