"""Random models of a few hundred kB with small tokenizers, saved like real ones: no meaning, real code."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SENTENCES = [
    "患者三天前出现咳嗽、咳黄痰，伴发热，体温38.5℃。",
    "双侧扁桃体红肿，咽部充血，颈部淋巴结肿大。",
    "疾病：[肺炎]\n临床表现：[发热]\n身体：[扁桃体]",
    "CT示右下肺见斑片状影(约2.3cm×1.5cm)。",
]


def byte_level_tokenizer(*, normalizer=None):
    """A byte-level BPE tokenizer as Qwen, Llama 3 and GLM have it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(SENTENCES, trainer)
    if normalizer is not None:
        core.normalizer = normalizer
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|im_end|>")
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def sentence_piece_tokenizer(*, adds_space=False):
    """A sentence-piece tokenizer with byte fallback as Gemma has it; ``adds_space`` like Llama 2, before every text."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<pad>", "<|im_start|>", "<|im_end|>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += ["▁", *sorted(set("".join(SENTENCES)) - set("咽痰 "))]
    pairs = ["咳 嗽", "▁ 咳", "▁ 咳嗽", "扁 桃", "扁桃 体", "3 8", "C T", "▁ ▁"]
    merges = [(first, second) for first, second in map(str.split, pairs)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys([*pieces, *map("".join, merges)]))}
    core = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    steps = [normalizers.Replace(" ", "▁")]
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), *steps] if adds_space else steps)
    core.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<pad>", unk_token="<unk>", bos_token="<|im_start|>"
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def save_tiny(folder: Path, config, tokenizer, *, seed: int = 0) -> Path:
    """Writes a random model of ``config``, its tokenizer and chat template to ``folder``."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_tiny_model(folder: Path, *, seed: int = 0, hidden: int = 64, layers: int = 2) -> Path:
    """Writes a Qwen2, its tokenizer and chat template to ``folder``."""
    from transformers import Qwen2Config

    tokenizer = byte_level_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4_096,
        eos_token_id=tokenizer.eos_token_id,
        # Wide weights: a random model with narrow ones says the same thing everywhere.
        initializer_range=0.3,
    )
    return save_tiny(folder, config, tokenizer, seed=seed)


def save_tiny_adapter(base: Path, folder: Path, *, seed: int) -> Path:
    """Writes a random LoRA adapter for a tiny model to ``folder``."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base),
        LoraConfig(r=4, target_modules=["q_proj", "v_proj", "up_proj"], init_lora_weights=False),
    )
    model.save_pretrained(folder)
    return folder
