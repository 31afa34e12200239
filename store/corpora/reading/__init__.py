"""What every format shares: the contract of a format, encodings, raw records, bad records, notes."""
