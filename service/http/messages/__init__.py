"""What requests and answers hold: their models, problems, responses."""
