"""`medner train` and its subcommands."""
