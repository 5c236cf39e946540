"""Embedding and recurrent layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from refq.errors import UnsupportedError
from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import converter, converts
from refq.layers.lstm import GATES


@converts("Embedding")
def embedding(builder: Builder, call: Call) -> Tensor:
    config = call.config
    if config.get("mask_zero"):
        raise UnsupportedError(f"Embedding {call.layer!r} with mask_zero=True has no converter: masks are not followed")
    rows, width = int(config["input_dim"]), int(config["output_dim"])
    return builder.emit("Embedding", call.name, [call.x, builder.weight(call, 0, "embeddings", (rows, width))])


def _gate(call: Call, key: str, default: str) -> str:
    name = call.config.get(key, default)
    if name == "hard_sigmoid" and call.major < 3:
        return "hard_sigmoid_2"
    if name not in GATES:
        raise UnsupportedError(f"{call.kind} {call.layer!r}: {key} {name!r} has no converter")
    return str(name)


def _recurrent(builder: Builder, call: Call, op: str, gates: int, bias: tuple[int, ...] | None, **attrs: Any) -> Tensor:
    config, x = call.config, call.x
    units = int(config["units"])
    if config.get("return_state") or config.get("stateful"):
        raise UnsupportedError(f"{call.kind} {call.layer!r} with return_state or stateful has no converter")
    inputs: list[Tensor | None] = [
        x,
        builder.weight(call, 0, "kernel", (x.shape[2], gates * units), np.transpose),
        builder.weight(call, 1, "recurrent_kernel", (units, gates * units), np.transpose),
        None if bias is None else builder.weight(call, 2, "bias", bias),
    ]
    return builder.emit(
        op,
        call.name,
        inputs,
        return_sequences=bool(config.get("return_sequences", False)),
        go_backwards=bool(config.get("go_backwards", False)),
        activation=_gate(call, "activation", "tanh"),
        recurrent_activation=_gate(call, "recurrent_activation", "sigmoid"),
        **attrs,
    )


@converts("LSTM")
def lstm(builder: Builder, call: Call) -> Tensor:
    has_bias = call.config.get("use_bias", True)
    return _recurrent(builder, call, "LSTM", 4, (4 * int(call.config["units"]),) if has_bias else None)


@converts("GRU")
def gru(builder: Builder, call: Call) -> Tensor:
    size, reset_after = 3 * int(call.config["units"]), bool(call.config.get("reset_after", False))
    bias = None if not call.config.get("use_bias", True) else (2, size) if reset_after else (size,)
    return _recurrent(builder, call, "GRU", 3, bias, reset_after=reset_after)


@converts("Bidirectional")
def bidirectional(builder: Builder, call: Call) -> Any:
    """The layer forwards, and once more from the end; the second's sequence is turned round again."""
    forward = call.config["layer"]
    backward = call.config.get("backward_layer") or forward
    half = len(call.weights) // 2
    results: list[Tensor] = []
    for part, entry, weights in (
        ("forward", forward, call.weights[:half]),
        ("backward", backward, call.weights[half:]),
    ):
        convert = converter(entry["class_name"])
        if convert is None:
            raise UnsupportedError(f"Bidirectional {call.layer!r} around {entry['class_name']} has no converter")
        backwards = bool(entry["config"].get("go_backwards", False))
        config = {
            **entry["config"],
            "go_backwards": (not backwards) if entry is forward and part == "backward" else backwards,
        }
        inner = replace(
            call,
            name=f"{call.name}/{part}",
            layer=f"{call.layer}/{part}",
            kind=entry["class_name"],
            config=config,
            weights=weights,
        )
        results.append(convert(builder, inner))
    first, second = results
    if forward["config"].get("return_sequences"):
        second = builder.emit("Reverse", f"{call.name}/backward/reversed", [second], axes=(1,))
    mode = call.config.get("merge_mode", "concat")
    if mode is None:
        return [first, second]
    op = {"concat": "Concatenate", "sum": "Add", "mul": "Multiply", "ave": "Average"}.get(mode)
    if op is None:
        raise UnsupportedError(f"Bidirectional {call.layer!r} with merge_mode {mode!r} has no converter")
    return builder.emit(op, call.name, [first, second])


@converts("TimeDistributed")
def time_distributed(builder: Builder, call: Call) -> Tensor:
    """Time steps as samples of a larger batch, then back."""
    entry = call.config["layer"]
    convert = converter(entry["class_name"])
    if convert is None:
        raise UnsupportedError(f"TimeDistributed {call.layer!r} around {entry['class_name']} has no converter")
    steps, x = call.x.shape[1], call.x
    merged = builder.emit("Reshape", f"{call.name}/merged", [x], shape=(-1, *x.shape[2:]))
    inner = replace(
        call, name=f"{call.name}/step", kind=entry["class_name"], config=entry["config"], args=[merged], kwargs={}
    )
    y = convert(builder, inner)
    return builder.emit("Reshape", f"{call.name}/split", [y], call.name, shape=(-1, steps, *y.shape[1:]))
