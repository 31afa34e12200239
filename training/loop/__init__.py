"""The loop of every training: settings, batches, optimiser, run folder, checkpoints."""
