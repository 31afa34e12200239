"""The paper's tables and figures for models at hand, beside the paper's own numbers."""
