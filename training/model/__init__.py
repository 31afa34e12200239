"""What learns: a base with a LoRA adapter, under any attention mask, in bf16, nf4 or int8."""
