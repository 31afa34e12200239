"""Engines run models: `local` in this process, `scripted` for tests and for playing a recorded run again."""
