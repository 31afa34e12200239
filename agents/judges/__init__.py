"""Judge agents: settle what taggers disagree about (§3.3)."""
