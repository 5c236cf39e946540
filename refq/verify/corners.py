"""Layers made to reach the corners that real data miss: ties, limits, lowest codes, ragged sizes.

Each is a small graph of one layer with its input, so that everything that runs or exports a model runs or exports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph import Graph, Node, QParams, TensorSpec
from refq.numerics.fixed_point import quantize_multiplier

_INT32 = 1 << 31

_NEARLY_TWO = (1.0 + 181 * 2.0**-23, 1.0 - 181 * 2.0**-23)
"""Two float32 scales whose product, 1 - 181**2 * 2**-46, becomes the multiplier 2**31 - 1."""

FACTORS: tuple[tuple[tuple[float, float], float], ...] = (
    *(((1.0, 1.0), 2.0**k) for k in (1, 2, 3, 7, 8, 9, 14)),
    ((1.0, 1.0), 2.0**22),
    ((1.0, 1.0), 1.0),
    ((1.0, 1.0), 2.0**-1),
    ((1.0, 1.0), 2.0**-3),
    *((_NEARLY_TWO, 2.0**k) for k in (0, 1, 8, 22, -2)),
    *(((0.7, 0.013), 2.0**k) for k in (0, -4)),
    ((1.0, 1.0 + 2.0**-23), 2.0**6),
)
"""(input scale, weight scale), output scale: right and left shifts, the least and the largest multiplier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CornerCase:
    """A layer and the input that drives it to its corners.

    reaches : what it is for, in words
    """

    graph: Graph
    x: NDArray[Any]
    reaches: str


def corner_cases(rows: int = 4, cols: int = 4, *, power_of_two_scales: bool = False) -> Iterator[CornerCase]:
    """Corner layers of 8 bits, the same in every run.

    Parameters
    ----------
    rows, cols : the array whose tiles are to be ragged
    power_of_two_scales : all scales 2**k, for hardware that rescales by shifts
    """
    yield from _ties(power_of_two_scales)
    for case in chain(_operands(), _deep(), _ragged(rows, cols)):
        yield _with_powers_of_two(case) if power_of_two_scales else case


def _with_powers_of_two(case: CornerCase) -> CornerCase:
    """The same layer with every scale rounded to a power of two."""
    tensors: dict[str, TensorSpec] = {}
    for name, spec in case.graph.tensors.items():
        grid = spec.qparams
        if grid is not None:
            tensors[name] = replace(spec, qparams=replace(grid, scale=np.exp2(np.rint(np.log2(grid.scale)))))
    scales: list[Any] = [tensors[name].qparams for name in ("x", "w")]
    bias: Any = tensors["b"].qparams
    tensors["b"] = replace(tensors["b"], qparams=replace(bias, scale=scales[0].scale * scales[1].scale))
    return replace(case, graph=replace(case.graph, tensors=tensors))


def _ties(power_of_two_scales: bool) -> Iterator[CornerCase]:
    """1x1 convolutions whose biases are solved: accumulators on ties, beside them, on clamp edges, at the limits."""
    for i, ((s_x, s_w), s_y) in enumerate(FACTORS):
        if power_of_two_scales and (s_x, s_w) != (1.0, 1.0):
            continue
        multiplier, shift = quantize_multiplier(float(np.float32(s_x)) * float(np.float32(s_w)) / s_y)
        biases = np.array(sorted(set(solved_accumulators(int(multiplier), int(shift)))), np.int64)
        low = i % 3 == 1
        yield _convolution(
            f"ties_{i:02d}",
            x=np.array([-1, 0, 1, 2], np.int8).reshape(1, 2, 2, 1),
            w=np.ones((len(biases), 1, 1, 1), np.int8),
            bias=np.clip(biases, -_INT32 + 1, _INT32 - 3).astype(np.int32),
            x_grid=QParams(scale=s_x, zero_point=0),
            w_scale=s_w,
            y_grid=QParams(scale=s_y, zero_point=(0, -128, 127, 5)[i % 4]),
            clamp=(0.0, 50 * s_y) if low else None,
            reaches="ties of both signs at every rounding, clamp edges, accumulator limits",
        )


def solved_accumulators(multiplier: int, shift: int) -> Iterator[int]:
    """Accumulators whose product with multiplier * 2**(shift - 31) lies on a half or beside it; and limits."""
    yield from (0, 1, -1, _INT32 - 3, -_INT32 + 1)
    places = 31 - shift
    for code in (*range(-4, 5), 126, 127, 128, 129, -127, -128, -129, -130, 250, -250, 49, 50, 51):
        exact = ((2 * code + 1) << max(places, 0)) // (2 * multiplier)
        for near in (-1, 0, 1):
            if -_INT32 < exact + near < _INT32 - 2:
                yield exact + near
    # A half of the first of two roundings: multiplier * acc = 2**30 mod 2**31, solved where the multiplier allows it.
    if multiplier == 1 << 30:
        right = max(-shift, 0)
        for half in (-3, -1, 1, 3):
            for step in (-2, -1, 0, 1):
                yield (half << right) + step
                yield -(half << right) + 2 * step + 1


def _operands() -> Iterator[CornerCase]:
    """Products of the extreme codes: -128 * -128, zero points at both ends, wide sums."""
    signs = np.array([-128, -127, -1, 0, 1, 127], np.int8)
    for i, zero in enumerate((-128, 127, 0)):
        x = np.resize(signs, (1, 5, 5, 3)).copy()
        x[0, :3, :3] = -128
        w = np.resize(signs[::-1], (6, 3, 3, 3)).copy()
        w[0], w[1], w[2] = -128, 127, -1
        yield _convolution(
            f"operands_{i}",
            x=x,
            w=w,
            bias=np.array([0, 1, -1, 1 << 20, -(1 << 20), 77], np.int32),
            x_grid=QParams(scale=1.0, zero_point=zero),
            w_scale=1.0,
            y_grid=QParams(scale=2.0**12, zero_point=-zero if zero != -128 else 127),
            spread=(1.0, 0.5, 1.25),
            padding="same",
            reaches="lowest codes times lowest codes, zero points at their limits, padding",
        )


def _deep() -> Iterator[CornerCase]:
    """Sums of products, without a bias, that 24 bits cannot hold."""
    depth = 304
    x = np.full((1, 2, 2, depth), 127, np.int8)
    x[0, 1] = -128
    x[0, 0, 1, ::2] = -128
    w = np.full((4, 1, 1, depth), -128, np.int8)
    w[1:3] = 127
    w[2, ..., ::2] = -128
    w[3, ..., 1:] = 1
    yield _convolution(
        "operands_deep",
        x=x,
        w=w,
        bias=np.zeros(4, np.int32),
        x_grid=QParams(scale=1.0, zero_point=-128),
        w_scale=1.0,
        y_grid=QParams(scale=2.0**17, zero_point=-3),
        reaches="sums of products that 24 bits cannot hold",
    )


def _ragged(rows: int, cols: int) -> Iterator[CornerCase]:
    """Sizes that do not divide the array, and K = 1."""
    generator = np.random.default_rng(0)
    for name, (height, width), channels, kernel, outputs, stride in (
        ("k1", (1, 1), 1, 1, 1, 1),
        ("tall", (rows + 1, 1), 1, 1, cols + 1, 1),
        ("wide", (1, 2 * rows + 1), 2, 1, cols - 1 or 2, 1),
        ("ragged", (rows + 2, rows - 1 or 2), 3, 3, cols + 2, 1),
        ("strided", (2 * rows + 1, 7), 2, 3, 2 * cols + 1, 2),
    ):
        yield _convolution(
            f"size_{name}",
            x=generator.integers(-128, 128, (1, height, width, channels), dtype=np.int8),
            w=generator.integers(-128, 128, (outputs, kernel, kernel, channels), dtype=np.int8),
            bias=generator.integers(-5000, 5000, outputs, dtype=np.int32),
            x_grid=QParams(scale=0.05, zero_point=-7),
            w_scale=0.01,
            y_grid=QParams(scale=0.4, zero_point=3),
            spread=(1.0, 0.3, 1.7, 0.06, 24.0),
            padding="same",
            strides=(stride, stride),
            reaches="tiles that the layer does not fill, K = 1",
        )


def _convolution(
    name: str,
    *,
    x: NDArray[np.int8],
    w: NDArray[np.int8],
    bias: NDArray[np.int32],
    x_grid: QParams,
    w_scale: float,
    y_grid: QParams,
    reaches: str,
    padding: str = "valid",
    strides: tuple[int, int] = (1, 1),
    clamp: tuple[float, float] | None = None,
    spread: tuple[float, ...] = (1.0,),
) -> CornerCase:
    channels = len(w)
    scales = np.float32(w_scale) * np.resize(np.array(spread, np.float32), channels)
    height, width = (-(-size // step) for size, step in zip(x.shape[1:3], strides, strict=True))
    grids = {
        "x": x_grid,
        "w": QParams(scale=scales, axis=0),
        "b": QParams(scale=scales * x_grid.scale, axis=0, bits=32),
        "y": y_grid,
    }
    shapes = {"x": x.shape, "w": w.shape, "b": bias.shape, "y": (1, height, width, channels)}
    types = {"x": "float32", "w": "int8", "b": "int32", "y": "float32"}
    tensors = {
        key: TensorSpec(name=key, shape=shapes[key], dtype=types[key], qparams=grid) for key, grid in grids.items()
    }
    node = Node(
        op="Conv2D",
        name=name,
        inputs=("x", "w", "b"),
        outputs=("y",),
        attrs={"padding": padding, "strides": strides},
        clamp=clamp,
    )
    graph = Graph(
        name=name, nodes=(node,), tensors=tensors, constants={"w": w, "b": bias}, inputs=("x",), outputs=("y",)
    )
    return CornerCase(graph=graph, x=x, reaches=reaches)
