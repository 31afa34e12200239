import json

import pytest

from medner.core.errors import ExternalError, UserError
from medner.store.models import ModelStore
from medner.store.models.catalogue import CatalogueEntry, shipped_catalogue
from medner.store.models.gguf_facts import differences, read_gguf_facts

torch = pytest.importorskip("torch", reason="needs the local extra")
gguf = pytest.importorskip("gguf", reason="needs the local extra")
transformers = pytest.importorskip("transformers", reason="needs the local extra")

from medner.store.models.convert import convert_gguf

TEMPLATE = "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}"
HIDDEN, INNER, HEADS = 32, 64, 4
REAL = "qwen2.5-coder-0.5b-instruct"


def byte_tokens():
    """The 256 characters byte-level BPE writes bytes as."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return list(bytes_to_unicode().values())


@pytest.fixture(scope="module")
def tiny_gguf(tmp_path_factory):
    """A random Qwen2 of one layer in a GGUF file, with three markers after its plain tokens."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    generator = torch.Generator().manual_seed(1)
    tokens = [*byte_tokens(), "ab", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("tiny")
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 257 + [3] * 3)
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(259)
    writer.add_bos_token_id(257)
    writer.add_pad_token_id(257)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    square, block = (HIDDEN, HIDDEN), "blk.0"
    shapes = {"token_embd.weight": (len(tokens), HIDDEN), "output_norm.weight": (HIDDEN,)}
    shapes |= {f"{block}.{part}.weight": square for part in ("attn_q", "attn_k", "attn_v", "attn_output")}
    shapes |= {f"{block}.{part}.bias": (HIDDEN,) for part in ("attn_q", "attn_k", "attn_v")}
    shapes |= {f"{block}.{part}.weight": (INNER, HIDDEN) for part in ("ffn_gate", "ffn_up")}
    shapes |= {f"{block}.ffn_down.weight": (HIDDEN, INNER)}
    shapes |= {f"{block}.{part}.weight": (HIDDEN,) for part in ("attn_norm", "ffn_norm")}
    for name, shape in shapes.items():
        writer.add_tensor(name, torch.randn(shape, generator=generator).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


ENTRY = CatalogueEntry("tiny", architecture="Qwen2ForCausalLM", end_tokens=("<|im_end|>", "<|endoftext|>"))


def test_converted_model_loads_offline_and_equals_the_file(tiny_gguf, tmp_path):
    """The folder loads without a network, in bfloat16, with the file's weights, markers, template and end tokens."""
    made = convert_gguf(tiny_gguf, tmp_path / "out", ENTRY)
    assert (made.architecture, made.dtype, made.context) == ("Qwen2ForCausalLM", "bfloat16", 128)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out", local_files_only=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    assert model.dtype == torch.bfloat16
    stored = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tiny_gguf).tensors}
    expected = torch.tensor(stored["token_embd.weight"]).to(torch.bfloat16)
    assert torch.equal(model.get_input_embeddings().weight, expected)
    assert differences(tokenizer, read_gguf_facts(tiny_gguf)) == []
    assert model.generation_config.eos_token_id == [259, 257]
    assert tokenizer.model_max_length == 128
    chat = [{"role": "user", "content": "胸痛3天"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "<|im_start|>胸痛3天<|im_end|>"
    text = "患者胸痛 3 天，T 37.5℃\r\n𠮷[x]"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert all(file.stat().st_mode & 0o044 for file in (tmp_path / "out").iterdir())
    config = json.loads((tmp_path / "out/tokenizer_config.json").read_text())
    assert "local_files_only" not in config


def test_other_architecture_is_refused(tiny_gguf, tmp_path):
    """A file of another architecture than the catalogue's is refused."""
    with pytest.raises(UserError, match="Qwen2ForCausalLM, but x is a LlamaForCausalLM"):
        convert_gguf(tiny_gguf, tmp_path / "out", CatalogueEntry("x", architecture="LlamaForCausalLM"))


def test_unknown_end_token_is_refused(tiny_gguf, tmp_path):
    """An end token that the tokenizer lacks is an error, not silently left out."""
    with pytest.raises(UserError, match="<eos>"):
        convert_gguf(tiny_gguf, tmp_path / "out", CatalogueEntry("x", end_tokens=("<eos>",)))


def test_broken_gguf_is_an_error_of_one_line(tmp_path):
    """A file cut off in the middle is said to be so."""
    path = tmp_path / "cut.gguf"
    path.write_bytes(b"GGUF" + b"\x03\x00\x00\x00" + b"\xff" * 20)
    with pytest.raises((UserError, ExternalError), match=r"cut\.gguf"):
        convert_gguf(path, tmp_path / "out", ENTRY)


def test_differences_are_told(tiny_gguf, tmp_path):
    """A tokenizer with another end token, template or spelling is told apart."""
    convert_gguf(tiny_gguf, tmp_path / "out", ENTRY)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    tokenizer.eos_token = "<|endoftext|>"
    tokenizer.chat_template = "x"
    told = " ".join(differences(tokenizer, read_gguf_facts(tiny_gguf)))
    assert "end token: 257, not 259" in told
    assert "chat template" in told


@pytest.fixture(scope="module")
def real_tokenizer():
    store = ModelStore()
    if REAL not in {model.entry.name for model in store.list() if model.path}:
        pytest.skip(f"{REAL} is not pulled")
    return transformers.AutoTokenizer.from_pretrained(store.path(REAL), local_files_only=True)


@pytest.mark.model
def test_real_model_is_the_catalogues():
    """The pulled 0.5B model is whole, of the catalogue's file, in bfloat16."""
    store, entry = ModelStore(), shipped_catalogue().find(REAL)
    listed = next(model for model in store.list() if model.entry.name == REAL)
    if listed.manifest is None:
        pytest.skip(f"{REAL} is not pulled")
    assert (listed.manifest.architecture, listed.manifest.dtype) == (entry.architecture, "bfloat16")
    if listed.manifest.source == "index":
        assert entry.package_index is not None
        assert listed.manifest.weights_sha256 == entry.package_index.sha256
    assert store.verify(REAL).problems == ()


@pytest.mark.model
def test_real_chat_is_qwens(real_tokenizer):
    """Markers are single tokens with Qwen2.5's numbers, and a chat is rendered as Qwen2.5 renders it."""
    chat = [{"role": "system", "content": "你是医生。"}, {"role": "user", "content": "患者胸痛3天。"}]
    rendered = real_tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert rendered == (
        "<|im_start|>system\n你是医生。<|im_end|>\n<|im_start|>user\n患者胸痛3天。<|im_end|>\n<|im_start|>assistant\n"
    )
    markers = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    assert [real_tokenizer.encode(marker) for marker in markers] == [[151643], [151644], [151645]]
    assert (real_tokenizer.eos_token, real_tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert real_tokenizer.encode(rendered).count(151645) == 2
