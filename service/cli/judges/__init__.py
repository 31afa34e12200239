"""`medner judges` and its subcommands."""
