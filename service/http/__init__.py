"""Jobs over HTTP, and a small web page over them."""
