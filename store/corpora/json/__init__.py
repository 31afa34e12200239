"""The parts of JSON formats: fields, entities, offsets, shapes, output."""
