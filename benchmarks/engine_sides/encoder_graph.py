"""The ONNX graph of a BERT encoder with an efficient GlobalPointer, in float32 and with eight-bit weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

VOCABULARY, POSITIONS = 21_128, 512
_OPSET = 17
#: Sizes of the span head, as :class:`medner.agents.taggers.spans.head.SpanShape` has them.
_INNER, _POINTER = 256, 64


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """The sizes of an encoder; those of BERT-base where nothing else is said."""

    layers: int = 12
    width: int = 768
    types: int = 9

    @property
    def heads(self) -> int:
        """Attention heads, of 64 each."""
        return max(1, self.width // 64)


class _Graph:
    """Nodes and random weights, added one after another; each method gives the name of what it computes."""

    def __init__(self, shape: EncoderShape) -> None:
        self.shape = shape
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._draw = np.random.default_rng(0)

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """The output of a further node."""
        from onnx import helper

        name = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=f"node_{name}", **attributes))
        return name

    def constant(self, values: Any) -> str:
        """A constant tensor."""
        from onnx import numpy_helper

        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def random(self, *sizes: int) -> str:
        """A random matrix, as a fresh BERT has it."""
        return self.constant(self._draw.normal(0, 0.02, sizes).astype(np.float32))

    def linear(self, x: str, width_in: int, width_out: int) -> str:
        """A linear layer with a bias."""
        product = self.node("MatMul", x, self.random(width_in, width_out))
        return self.node("Add", product, self.constant(np.zeros(width_out, np.float32)))

    def norm(self, x: str) -> str:
        """A layer norm over the encoder's width."""
        ones, zeros = np.ones(self.shape.width, np.float32), np.zeros(self.shape.width, np.float32)
        return self.node("LayerNormalization", x, self.constant(ones), self.constant(zeros), axis=-1, epsilon=1e-12)

    def gelu(self, x: str) -> str:
        """The exact GELU."""
        erf = self.node("Erf", self.node("Div", x, self.constant(np.float32(2**0.5))))
        raised = self.node("Add", erf, self.constant(np.float32(1)))
        return self.node("Mul", self.node("Mul", x, raised), self.constant(np.float32(0.5)))

    def split(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        """A tensor's parts."""
        from onnx import helper

        names = [f"Split_{len(self.nodes)}_{number}" for number in range(len(sizes))]
        lengths = self.constant(np.array(sizes, np.int64))
        self.nodes.append(helper.make_node("Split", [x, lengths], names, name=f"node_{names[0]}", axis=axis))
        return names

    def reshape(self, x: str, *sizes: int) -> str:
        """A tensor in other sizes; 0 keeps one, -1 is what is left."""
        return self.node("Reshape", x, self.constant(np.array(sizes, np.int64)))

    def attention(self, x: str) -> str:
        """Self-attention over all tokens that are no padding."""
        width, heads = self.shape.width, self.shape.heads
        parts = self.split(self.linear(x, width, 3 * width), [width] * 3, axis=2)
        queries, keys, values = (self.reshape(part, 0, 0, heads, width // heads) for part in parts)
        turned = self.node("Transpose", keys, perm=[0, 2, 3, 1])
        scores = self.node("MatMul", self.node("Transpose", queries, perm=[0, 2, 1, 3]), turned)
        scaled = self.node("Mul", scores, self.constant(np.float32((width // heads) ** -0.5)))
        weights = self.node("Softmax", self.node("Add", scaled, "mask"), axis=-1)
        mixed = self.node("MatMul", weights, self.node("Transpose", values, perm=[0, 2, 1, 3]))
        joined = self.reshape(self.node("Transpose", mixed, perm=[0, 2, 1, 3]), 0, 0, width)
        return self.linear(joined, width, width)

    def layer(self, x: str) -> str:
        """A layer of the encoder."""
        width = self.shape.width
        attended = self.norm(self.node("Add", x, self.attention(x)))
        inner = self.gelu(self.linear(attended, width, 4 * width))
        return self.norm(self.node("Add", attended, self.linear(inner, 4 * width, width)))

    def embedded(self) -> str:
        """The embeddings of the input ``ids``."""
        words = self.node("Gather", self.random(VOCABULARY, self.shape.width), "ids")
        count = self.node("Gather", self.node("Shape", "ids"), self.constant(np.int64(1)))
        steps = self.node("Range", self.constant(np.int64(0)), count, self.constant(np.int64(1)))
        places = self.node("Gather", self.random(POSITIONS, self.shape.width), steps)
        return self.norm(self.node("Add", words, places))

    def span_scores(self, x: str) -> None:
        """The output ``scores`` [rows, types, start, end]: one scoring for all types, a bias a type for each end."""
        types = self.shape.types
        inner = self.gelu(self.linear(x, self.shape.width, _INNER))
        starts, ends = self.split(self.linear(inner, _INNER, 2 * _POINTER), [_POINTER] * 2, axis=2)
        shared = self.node("MatMul", starts, self.node("Transpose", ends, perm=[0, 2, 1]))
        first, last = self.split(self.linear(inner, _INNER, 2 * types), [types] * 2, axis=2)
        begins = self.node("Unsqueeze", self.node("Transpose", first, perm=[0, 2, 1]), self.constant(np.array([3])))
        closes = self.node("Unsqueeze", self.node("Transpose", last, perm=[0, 2, 1]), self.constant(np.array([2])))
        both = self.node("Add", begins, closes)
        self.node("Add", self.node("Unsqueeze", shared, self.constant(np.array([1]))), both, output="scores")


def write_encoder(folder: Path, shape: EncoderShape, *, integers: bool) -> dict[str, Path]:
    """Writes the encoder in float32 and, if asked, with dynamically quantised products; the files by format."""
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph(shape)
    states = graph.embedded()
    for _ in range(shape.layers):
        states = graph.layer(states)
    graph.span_scores(states)
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["rows", "tokens"]),
        helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["rows", 1, 1, "tokens"]),
    ]
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", shape.types, "tokens", "tokens"])
    made = helper.make_graph(graph.nodes, "encoder", inputs, [scores], graph.weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    files = {"f32": folder / "encoder-f32.onnx"}
    onnx.save(model, files["f32"])
    if integers:
        files["int8"] = folder / "encoder-int8.onnx"
        _quantise(files["f32"], files["int8"])
    return files


def _quantise(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
    finally:
        logging.disable(logging.NOTSET)
