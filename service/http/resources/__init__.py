"""What requests share beside the jobs: the place for traces, judges that the server asks, the ends of jobs."""
