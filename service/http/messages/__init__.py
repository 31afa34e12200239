"""What requests and answers hold: schemas, problems, responses."""
