"""From a configuration to what runs: engines, taggers, filters, judges, the pipeline."""
