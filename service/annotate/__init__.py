"""`medner annotate`: one run over documents, with its journal, outputs and progress."""
