"""The HTML page of annotated documents."""
