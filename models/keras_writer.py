"""Writing Keras 3 .h5 files with h5py only: configurations, groups and attributes as Keras writes them.

A `Network` records layer calls as the functional API would, and writes a file that `keras.models.load_model` opens.
Weights are He-normal from a seed, or absent: with `shape_only` the datasets are declared and never written, so a file
of a large network stays small.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

KERAS_VERSION = "3.15.1"
_PACK_BYTES = 2048
"""Larger datasets are compressed."""
_POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}


@dataclass(frozen=True)
class Symbol:
    """A tensor of the network under construction: the layer that makes it, and its shape without the batch."""

    layer: str
    shape: tuple[int, ...]


@dataclass
class Network:
    """A Functional model under construction.

    >>> net = Network("tiny")
    >>> x = net.input((8, 8, 3))
    >>> net.output(net.dense(net.global_average(net.conv(x, 4, 3)), 10, activation="softmax"))
    """

    name: str
    layers: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, list[tuple[str, tuple[int, ...]]]] = field(default_factory=dict)
    outputs: list[Symbol] = field(default_factory=list)
    inputs: list[Symbol] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    binary: set[str] = field(default_factory=set)
    """Layers whose inputs and weights are one bit, where the others are real; the file does not say it"""

    def input(self, shape: tuple[int, ...], name: str = "input") -> Symbol:
        """Declare an input; `shape` without the batch."""
        config = {"batch_shape": [None, *shape], "dtype": "float32", "sparse": False, "ragged": False, "name": name}
        self.layers.append({"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []})
        self.weights[name] = []
        self.inputs.append(Symbol(name, shape))
        return self.inputs[-1]

    def output(self, *symbols: Symbol) -> None:
        """Declare the outputs."""
        self.outputs = list(symbols)

    def _add(
        self,
        kind: str,
        inputs: list[Symbol],
        shape: tuple[int, ...],
        config: dict[str, Any],
        name: str | None,
        weights: list[tuple[str, tuple[int, ...]]] = (),  # type: ignore[assignment]
        together: bool = True,
        kwargs: dict[str, Any] | None = None,
    ) -> Symbol:
        """Record a call; several inputs are one list, or one argument each if not `together`."""
        if name is None:
            base = kind.lower()
            number = self.counts.get(base, 0)
            self.counts[base] = number + 1
            name = base if number == 0 else f"{base}_{number}"
        tensors = [
            {
                "class_name": "__keras_tensor__",
                "config": {"shape": [None, *x.shape], "dtype": "float32", "keras_history": [x.layer, 0, 0]},
            }
            for x in inputs
        ]
        args = [tensors] if len(tensors) > 1 and together else tensors
        self.layers.append(
            {
                "class_name": kind,
                "config": {"name": name, "trainable": True, "dtype": _POLICY, **config},
                "name": name,
                "inbound_nodes": [{"args": args, "kwargs": kwargs or {}}],
            }
        )
        self.weights[name] = list(weights)
        return Symbol(name, shape)

    @staticmethod
    def _size(x: Symbol, kernel: tuple[int, int], stride: tuple[int, int], padding: str) -> tuple[int, int]:
        sizes = [
            -(-n // s) if padding == "same" else (n - k) // s + 1
            for n, k, s in zip(x.shape[:2], kernel, stride, strict=True)
        ]
        return sizes[0], sizes[1]

    def conv(
        self,
        x: Symbol,
        filters: int,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: str = "same",
        bias: bool = True,
        activation: str = "linear",
        name: str | None = None,
        groups: int = 1,
    ) -> Symbol:
        """Conv2D."""
        k, s = _pair(kernel), _pair(stride)
        config = {
            "filters": filters,
            "kernel_size": list(k),
            "strides": list(s),
            "padding": padding,
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "groups": groups,
            "activation": activation,
            "use_bias": bias,
        }
        weights = [("kernel", (*k, x.shape[2] // groups, filters)), *([("bias", (filters,))] if bias else [])]
        return self._add("Conv2D", [x], (*self._size(x, k, s, padding), filters), config, name, weights)

    def binary_conv(
        self, x: Symbol, filters: int, kernel: int, stride: int = 1, activation: str = "linear", name: str | None = None
    ) -> Symbol:
        """Conv2D of signs, without bias."""
        made = self.conv(x, filters, kernel, stride, bias=False, activation=activation, name=name)
        self.binary.add(made.layer)
        return made

    def depthwise(
        self,
        x: Symbol,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: str = "same",
        bias: bool = False,
        name: str | None = None,
        multiplier: int = 1,
    ) -> Symbol:
        """DepthwiseConv2D; `multiplier` filters a channel."""
        k, s = _pair(kernel), _pair(stride)
        config = {
            "depth_multiplier": multiplier,
            "kernel_size": list(k),
            "strides": list(s),
            "padding": padding,
            "data_format": "channels_last",
            "dilation_rate": [1, 1],
            "activation": "linear",
            "use_bias": bias,
        }
        filters = x.shape[2] * multiplier
        weights = [("kernel", (*k, x.shape[2], multiplier)), *([("bias", (filters,))] if bias else [])]
        return self._add("DepthwiseConv2D", [x], (*self._size(x, k, s, padding), filters), config, name, weights)

    def dense(
        self, x: Symbol, units: int, activation: str = "linear", bias: bool = True, name: str | None = None
    ) -> Symbol:
        """Dense."""
        weights = [("kernel", (x.shape[-1], units)), *([("bias", (units,))] if bias else [])]
        config = {"units": units, "activation": activation, "use_bias": bias}
        return self._add("Dense", [x], (*x.shape[:-1], units), config, name, weights)

    def batch_norm(self, x: Symbol, epsilon: float = 1e-3, name: str | None = None, affine: bool = True) -> Symbol:
        """BatchNormalization over the last axis; without gamma and beta if not `affine`."""
        size = (x.shape[-1],)
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        weights = [(part, size) for part in (parts if affine else parts[2:])]
        config = {"axis": -1, "momentum": 0.99, "epsilon": epsilon, "center": affine, "scale": affine}
        return self._add("BatchNormalization", [x], x.shape, config, name, weights)

    def layer_norm(self, x: Symbol, epsilon: float = 1e-3, name: str | None = None) -> Symbol:
        """LayerNormalization over the last axis."""
        size = (x.shape[-1],)
        config = {"axis": [len(x.shape)], "epsilon": epsilon, "center": True, "scale": True, "rms_scaling": False}
        return self._add("LayerNormalization", [x], x.shape, config, name, [("gamma", size), ("beta", size)])

    def attention(self, x: Symbol, heads: int, key_dim: int, causal: bool = False, name: str | None = None) -> Symbol:
        """MultiHeadAttention of a sequence with itself."""
        width = x.shape[-1]
        config = {
            "num_heads": heads,
            "key_dim": key_dim,
            "value_dim": key_dim,
            "dropout": 0.0,
            "use_bias": True,
            "output_shape": None,
            "attention_axes": None,
        }
        weights: list[tuple[str, tuple[int, ...]]] = []
        for part in ("query", "key", "value"):
            weights += [(f"{part}/kernel", (width, heads, key_dim)), (f"{part}/bias", (heads, key_dim))]
        weights += [("attention_output/kernel", (heads, key_dim, width)), ("attention_output/bias", (width,))]
        kwargs = {"use_causal_mask": True} if causal else {}
        return self._add("MultiHeadAttention", [x, x], x.shape, config, name, weights, together=False, kwargs=kwargs)

    def relu(self, x: Symbol, limit: float | None = None, name: str | None = None) -> Symbol:
        """ReLU, with an upper limit if given."""
        config = {"max_value": limit, "negative_slope": 0.0, "threshold": 0.0}
        return self._add("ReLU", [x], x.shape, config, name)

    def activation(self, x: Symbol, function: str, name: str | None = None) -> Symbol:
        """Activation."""
        return self._add("Activation", [x], x.shape, {"activation": function}, name)

    def add(self, *xs: Symbol, name: str | None = None) -> Symbol:
        """Add."""
        return self._add("Add", list(xs), xs[0].shape, {}, name)

    def concatenate(self, *xs: Symbol, name: str | None = None) -> Symbol:
        """Concatenate along channels."""
        shape = (*xs[0].shape[:-1], sum(x.shape[-1] for x in xs))
        return self._add("Concatenate", list(xs), shape, {"axis": -1}, name)

    def pad(self, x: Symbol, margins: tuple[tuple[int, int], tuple[int, int]], name: str | None = None) -> Symbol:
        """ZeroPadding2D."""
        shape = (x.shape[0] + sum(margins[0]), x.shape[1] + sum(margins[1]), x.shape[2])
        config = {"padding": [list(pair) for pair in margins], "data_format": "channels_last"}
        return self._add("ZeroPadding2D", [x], shape, config, name)

    def pool(
        self,
        x: Symbol,
        kind: str,
        size: int | tuple[int, int],
        stride: int | None = None,
        padding: str = "valid",
        name: str | None = None,
    ) -> Symbol:
        """MaxPooling2D (kind "Max") or AveragePooling2D (kind "Average")."""
        k = _pair(size)
        s = k if stride is None else _pair(stride)
        config = {"pool_size": list(k), "padding": padding, "strides": list(s), "data_format": "channels_last"}
        shape = (*self._size(x, k, s, padding), x.shape[2])
        return self._add(f"{kind}Pooling2D", [x], shape, config, name)

    def global_average(self, x: Symbol, name: str | None = None) -> Symbol:
        """GlobalAveragePooling2D."""
        config = {"data_format": "channels_last", "keepdims": False}
        return self._add("GlobalAveragePooling2D", [x], (x.shape[2],), config, name)

    def flatten(self, x: Symbol, name: str | None = None) -> Symbol:
        """Flatten."""
        return self._add("Flatten", [x], (prod(x.shape),), {"data_format": "channels_last"}, name)

    def dropout(self, x: Symbol, rate: float, name: str | None = None) -> Symbol:
        """Dropout."""
        return self._add("Dropout", [x], x.shape, {"rate": rate, "seed": None, "noise_shape": None}, name)

    def ordered(self) -> list[dict[str, Any]]:
        """Layers as Keras lists them, which its loader relies on: by distance from the output, farthest first; equal
        distances in the order in which a walk back from the outputs meets them."""
        sources = {
            layer["name"]: [s["config"]["keras_history"][0] for s in _flat(layer["inbound_nodes"])]
            for layer in self.layers
        }
        depth: dict[str, int] = dict.fromkeys(sources, 0)
        for layer in reversed(self.layers):  # creation order is a topological order
            for source in sources[layer["name"]]:
                depth[source] = max(depth[source], depth[layer["name"]] + 1)
        met: dict[str, int] = {}
        stack = [symbol.layer for symbol in reversed(self.outputs)]
        while stack:
            name = stack.pop()
            if name not in met:
                met[name] = len(met)
                stack += reversed(sources[name])
        return sorted(self.layers, key=lambda layer: (-depth[layer["name"]], met[layer["name"]]))

    def config(self) -> dict[str, Any]:
        """The model configuration as Keras writes it."""
        return {
            "class_name": "Functional",
            "config": {
                "name": self.name,
                "trainable": True,
                "layers": self.ordered(),
                "input_layers": _histories(self.inputs),
                "output_layers": _histories(self.outputs),
            },
        }

    def save(
        self,
        path: str | Path,
        *,
        seed: int = 0,
        shape_only: bool = False,
        constants: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> None:
        """Write the .h5 file; equal arguments give equal bytes.

        Parameters
        ----------
        seed : of the He-normal weights
        shape_only : declare the weights, write no values
        constants : values in their place, by name, as a Graph holds them (output channels first)

        Raises
        ------
        ValueError    a constant of no layer
        """
        import h5py

        known = {f"{layer}/{variable}" for layer, variables in self.weights.items() for variable, _ in variables}
        if not known.issuperset(constants):
            raise ValueError(f"{self.name!r} has no weights {sorted(set(constants) - known)}")
        rng = np.random.default_rng(seed)
        with h5py.File(path, "w", libver="earliest", track_order=False) as file:
            file.attrs["backend"] = "tensorflow"
            file.attrs["keras_version"] = KERAS_VERSION
            file.attrs["model_config"] = json.dumps(self.config())
            root = file.create_group("model_weights")
            root.attrs["backend"] = "tensorflow"
            root.attrs["keras_version"] = KERAS_VERSION
            root.attrs["layer_names"] = np.array([layer["name"].encode() for layer in self.ordered()])
            for layer, variables in self.weights.items():
                group = root.create_group(layer)
                paths = [f"{layer}/{variable}" for variable, _ in variables]
                group.attrs["weight_names"] = np.array([path.encode() for path in paths])
                for path_, (variable, shape) in zip(paths, variables, strict=True):
                    if shape_only:
                        group.create_dataset(path_, shape, "<f4", track_times=False)
                    else:
                        values = _values(variable, shape, rng)
                        if path_ in constants:
                            held = constants[path_]
                            values = (np.moveaxis(held, 0, -1) if variable == "kernel" else held).reshape(shape)
                        packed = {"compression": "gzip", "shuffle": True} if values.nbytes > _PACK_BYTES else {}
                        group.create_dataset(path_, data=values, track_times=False, **packed)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _flat(value: Any) -> list[dict[str, Any]]:
    """The tensors among the arguments of the inbound nodes."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [tensor for item in items for tensor in _flat(item)]


def _histories(symbols: list[Symbol]) -> list[Any]:
    return [[symbol.layer, 0, 0] for symbol in symbols]


def _values(variable: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    part, _, leaf = variable.rpartition("/")
    if part and leaf == "kernel":  # of an attention: (width, heads, size), or (heads, size, width) on the way out
        fan_in = prod(shape[:-1]) if part == "attention_output" else shape[0]
        return rng.normal(0, np.sqrt(1 / fan_in), shape).astype(np.float16).astype(np.float32)
    if variable == "kernel":
        fan_in = prod(shape[:-1]) if shape[-1] != 1 or len(shape) != 4 else shape[0] * shape[1]
        values = rng.normal(0, np.sqrt(2 / fan_in), shape)
        return values.astype(np.float16).astype(np.float32)  # eleven bits of mantissa, so that files compress
    return np.full(shape, 1.0 if variable in ("gamma", "moving_variance") else 0.0, np.float32)
