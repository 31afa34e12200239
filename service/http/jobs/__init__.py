"""Jobs over HTTP: submit, list, watch, results, page."""
