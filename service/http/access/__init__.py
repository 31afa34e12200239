"""Who may ask, how much, and what stands before every request."""
