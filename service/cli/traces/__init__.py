"""`medner traces` and its subcommands."""
