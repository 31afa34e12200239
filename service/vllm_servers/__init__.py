"""Starting the vLLM servers that a configuration needs.

Nothing is imported here: the command line reads ``plan`` for its help, and the rest brings the HTTP library with it.
"""
