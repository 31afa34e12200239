"""What Label Studio asks of a machine-learning backend."""
