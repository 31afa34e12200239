"""What `medner doctor` checks."""
