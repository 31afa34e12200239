"""What a corpus says of a candidate: how often its very string occurs there, and as what."""
