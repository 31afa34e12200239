"""The worker: takes chunks of jobs from Redis and annotates them."""
