"""The review of a job's conflicts: what a person's look is worth, and how much of the doubt it settles."""
