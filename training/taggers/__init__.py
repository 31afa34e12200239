"""Training of taggers that write."""
