"""Commands that ask a medner server instead of Redis and files: their options, and what stands in the books' place."""
