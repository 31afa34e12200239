"""A client of `medner serve`: requests described once, sent synchronously or asynchronously."""
