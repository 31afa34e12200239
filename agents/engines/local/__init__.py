"""The local engine: transformers in this process, packed batches, copy-constrained draft-and-verify decoding."""
