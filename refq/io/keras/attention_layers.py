"""Attention, decomposed into dense layers, products and a softmax."""

from __future__ import annotations

from math import sqrt

import numpy as np

from refq.errors import UnsupportedError
from refq.io.damage import made
from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import converts


@converts("MultiHeadAttention", "MultiHeadAttention>MultiHeadAttention")
def multi_head_attention(builder: Builder, call: Call) -> Tensor:
    """softmax(Q K' / sqrt(key_dim)) V over heads; Vaswani et al. 2017, section 3.2."""
    config = call.config
    heads, key_dim = int(config["num_heads"]), int(config["key_dim"])
    value_dim = int(config.get("value_dim") or key_dim)
    has_bias = bool(config.get("use_bias", True))
    given = {**call.kwargs, **dict(zip(("query", "value", "key"), call.inputs, strict=False))}
    query, value = given.get("query"), given.get("value")
    key = given.get("key") or value
    refused = [k for k in ("attention_mask", "return_attention_scores") if call.kwargs.get(k)]
    if not isinstance(query, Tensor) or not isinstance(value, Tensor) or not isinstance(key, Tensor) or refused:
        raise UnsupportedError(
            f"MultiHeadAttention {call.layer!r} called with {refused or 'no value'} has no converter"
        )
    if len(query.shape) != 3 or config.get("flash_attention"):
        raise UnsupportedError(f"MultiHeadAttention {call.layer!r} over more than one axis has no converter")
    position = 0

    def project(x: Tensor, part: str, size: int) -> Tensor:
        """Dense over all heads, then (N, heads, T, size)."""
        nonlocal position
        width = x.shape[-1]
        w = builder.weight(
            call, position, f"{part}/kernel", (width, heads, size), lambda v: v.reshape(width, heads * size).T
        )
        b = None
        if has_bias:
            b = builder.weight(call, position + 1, f"{part}/bias", (heads, size), lambda v: v.reshape(heads * size))
        position += 1 + has_bias
        flat = builder.emit("Dense", f"{call.name}/{part}", [x, w, b])
        split = builder.emit("Reshape", f"{call.name}/{part}/heads", [flat], shape=(0, x.shape[1], heads, size))
        return builder.emit("Transpose", f"{call.name}/{part}/by_head", [split], perm=(0, 2, 1, 3))

    q, k, v = project(query, "query", key_dim), project(key, "key", key_dim), project(value, "value", value_dim)
    factor = builder.constant(f"{call.layer}/scale", np.float32(1 / sqrt(key_dim)))
    q = builder.emit("Multiply", f"{call.name}/scaled", [q, factor])
    scores = builder.emit("BatchMatMul", f"{call.name}/scores", [q, k], adj_b=True)
    if call.kwargs.get("use_causal_mask"):
        rows, columns = made(*scores.shape[-2:])
        later = np.where(np.arange(columns)[None, :] > np.arange(rows)[:, None], np.float32(-1e9), np.float32(0))
        mask = builder.constant(f"{call.layer}/causal_mask", later)
        scores = builder.emit("Add", f"{call.name}/masked", [scores, mask])
    weights = builder.emit("Softmax", f"{call.name}/weights", [scores])
    mixed = builder.emit("BatchMatMul", f"{call.name}/mixed", [weights, v])
    mixed = builder.emit("Transpose", f"{call.name}/by_position", [mixed], perm=(0, 2, 1, 3))
    joined = builder.emit("Reshape", f"{call.name}/joined", [mixed], shape=(0, query.shape[1], heads * value_dim))
    out = config.get("output_shape")
    width = query.shape[-1] if out is None else int(out if isinstance(out, int) else out[0])
    w = builder.weight(
        call,
        position,
        "attention_output/kernel",
        (heads, value_dim, width),
        lambda v: v.reshape(heads * value_dim, width).T,
    )
    b = builder.weight(call, position + 1, "attention_output/bias", (width,)) if has_bias else None
    return builder.emit("Dense", f"{call.name}/attention_output", [joined, w, b], call.name)
