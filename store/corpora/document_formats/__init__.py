"""Documents that people write and print: Word, PDF, CDA. Their text, and where it stands in the file."""
