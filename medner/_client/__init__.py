"""The front door to a medner server: the verbs of the local one, over HTTP."""
