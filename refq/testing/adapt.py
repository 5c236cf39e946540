"""From values of refq to subjects of laws: what each declares follows from its definition, not from its behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph import QParams
from refq.numerics import Accumulator
from refq.numerics.requantize import Requantizer
from refq.numerics.rounding import RoundingMode
from refq.quantizers.apply import dequantize_array, quantize_array
from refq.quantizers.bases import Bases
from refq.quantizers.levels import Levels, midpoints
from refq.quantizers.product import ProductCodebook, decode, encode
from refq.quantizers.vectors import VectorCodebook
from refq.testing.subjects import BlockQuantizer, Quantizer, Register, RequantizeFunction, VectorQuantizer

Array = NDArray[Any]


def subject_of(value: Any, *, rounding: RoundingMode = "half_even", shape: tuple[int, ...] | None = None) -> Any:
    """The subject that states what a value of refq promises; subjects, and what it does not know, as they are.

    Parameters
    ----------
    value : QParams, Levels, Bases, ProductCodebook, VectorCodebook, Requantizer, Accumulator
    rounding : of QParams; "stochastic" also of Levels of one block
    shape : of the tensors, where the value has channels or blocks; default: a few indices an axis
    """
    if isinstance(value, QParams):
        if value.block is not None:
            return _blocks(value, value.scale[..., None], shape, partial(_one_scale, rounding))
        return _uniform(value, rounding) if value.scale.ndim == 0 else _channels(value, rounding, shape)
    if isinstance(value, Levels):
        if value.levels.size > value.count:
            return _blocks(value, value.levels, shape, _one_levels)
        return _stochastic_levels(value) if rounding == "stochastic" else _levels(value)
    if isinstance(value, Bases):
        return _bases(value) if value.alphas.size == value.bits else _blocks(value, value.alphas, shape, _one_bases)
    if isinstance(value, ProductCodebook):
        subspaces, count, _ = value.centroids.shape
        encoder, decoder = partial(encode, value), partial(decode, value)
        name = f"product {subspaces} x {count}"
        return VectorQuantizer(name=name, encode=encoder, decode=decoder, counts=(count,) * subspaces, dims=value.dims)
    if isinstance(value, VectorCodebook):
        return _codebook(value)
    if isinstance(value, Requantizer):
        return requantizer(value)
    if isinstance(value, Accumulator):
        return register(value)
    return value


def _uniform(grid: QParams, rounding: RoundingMode) -> Quantizer:
    kind = "signed" if grid.signed else "unsigned"
    kind += " narrow" if grid.narrow else ""
    name = f"uniform {kind} {grid.bits} bits zero point {int(grid.zero_point)} {rounding}"
    if grid.is_binary:
        return Quantizer(
            name=f"binary scale {float(grid.scale):g}",
            quantize=lambda x: quantize_array(x, grid),
            dequantize=lambda codes: dequantize_array(codes, grid),
            codes=np.array([-1, 1]),
            grid=grid,
            mirrored=True,
            rescaled=lambda c: _uniform(_with(grid, scale=grid.scale * np.float32(c)), rounding),
        )
    if rounding == "stochastic":
        forward: Callable[..., Array] = partial(_stochastic, grid)
    else:
        forward = partial(_forward, grid, rounding)
    return Quantizer.uniform(
        forward,
        lambda codes: dequantize_array(codes, grid),
        grid,
        rounding,
        name=name,
        nan="zero",
        rescaled=lambda c: _uniform(_with(grid, scale=np.float32(float(grid.scale) * c)), rounding),
        shifted=lambda d: _uniform(_with(grid, zero_point=int(grid.zero_point) + d), rounding),
    )


def _forward(grid: QParams, rounding: RoundingMode, x: Array) -> Array:
    return quantize_array(x, grid, rounding)


def _stochastic(grid: QParams, x: Array, rng: np.random.Generator) -> Array:
    return quantize_array(x, grid, "stochastic", rng)


def _with(grid: QParams, **changes: Any) -> QParams:
    fields = ("scale", "zero_point", "axis", "block", "bits", "signed", "narrow")
    return QParams(**{**{name: getattr(grid, name) for name in fields}, **changes})


def _channels(grid: QParams, rounding: RoundingMode, shape: tuple[int, ...] | None) -> BlockQuantizer:
    axis, count = grid.axis or 0, grid.scale.size
    sizes = list(shape or (*(2,) * axis, count, 3))
    sizes[axis] = count
    parts = []
    for i in range(count):
        index = tuple(slice(i, i + 1) if a == axis else slice(None) for a in range(len(sizes)))
        one = _with(grid, scale=grid.scale[i], zero_point=grid.zero_point[i], axis=None)
        parts.append((index, _uniform(one, rounding)))

    def permuted(order: Array) -> BlockQuantizer:
        changed = _with(grid, scale=grid.scale[order], zero_point=grid.zero_point[order])
        return _channels(changed, rounding, tuple(sizes))

    return BlockQuantizer(
        name=f"uniform {grid.bits} bits {count} channels along {axis} {rounding}",
        quantize=lambda x: quantize_array(x, grid, rounding),
        dequantize=lambda codes: dequantize_array(codes, grid),
        shape=tuple(sizes),
        parts=parts,
        permuted=permuted,
        axis=axis,
    )


def _levels(value: Levels) -> Quantizer:
    levels, limits = (table.reshape(-1).astype(np.float64) for table in (value.levels, value.thresholds))
    are_middles = bool(np.array_equal(value.thresholds, midpoints(value.levels)))
    below, above = np.append(-np.inf, limits), np.append(limits, np.inf)
    return Quantizer.levels(
        value.quantize,
        value.dequantize,
        value.count,
        name=f"{value.count} levels in [{levels[0]:g}, {levels[-1]:g}]",
        nearest=are_middles,
        recovers=bool(np.all((below < levels) & (levels <= above))),
        mirrored=bool(np.array_equal(levels, -levels[::-1]) and are_middles),
        nan="zero",
        rescaled=_scaled_levels(value),
    )


def _stochastic_levels(value: Levels) -> Quantizer:
    levels = value.levels.reshape(-1)
    return Quantizer.levels(
        value.quantize_stochastic,
        value.dequantize,
        value.count,
        name=f"{value.count} levels in [{levels[0]:g}, {levels[-1]:g}] stochastic",
        rounding="stochastic",
        nearest=False,
    )


def _scaled_levels(value: Levels) -> Callable[[float], Quantizer] | None:
    """Powers of two scale exactly while nothing leaves the normal float32 numbers."""
    held = np.abs(np.concatenate([value.levels, value.thresholds], axis=None))
    inside = (held == 0) | ((held > 2.0**-120) & (held < 2.0**120))
    if not np.all(inside):
        return None
    return lambda c: _levels(
        Levels(levels=value.levels * np.float32(c), thresholds=value.thresholds * np.float32(c), block=value.block)
    )


def _bases(value: Bases) -> Quantizer:
    alphas = value.alphas.reshape(-1).astype(np.float64)
    tails = np.append(np.cumsum(alphas[::-1])[::-1][1:], 0.0)
    ordered = bool(np.all(alphas > tails * (1 + 1e-5)))  # each basis outweighs the rest: greedy signs name the nearest
    plain = value.thresholds is None and not value.greedy
    return Quantizer.levels(
        value.quantize,
        value.dequantize,
        1 << value.bits,
        name=f"sum of {value.bits} signs{' greedy' if value.greedy else ''}",
        nearest=plain,
        recovers=plain or (value.greedy and ordered),
        monotone=plain or (value.greedy and ordered),
        mirrored=plain and not np.any(value.offset),
        nan="zero",
    )


def _codebook(value: VectorCodebook) -> VectorQuantizer:
    """A sum of stages, and a group that padding fills up, need not be the nearest there is: only stage by stage."""
    dims, stages = int(np.prod(value.tail)), value.stages
    is_plain = stages == 1 and not dims % value.width

    def shaped(codes: Array) -> Array:
        return np.asarray(codes).reshape(len(codes), value.positions, stages)

    def partial_sum(codes: Array, count: int) -> Array:
        books = np.arange(value.positions) if value.sharing == "position" else np.zeros(value.positions, np.int64)
        numbers = shaped(codes)
        parts = [value.centroids[books, stage, numbers[..., stage]] for stage in range(count)]
        return np.stack(parts).sum(axis=0, dtype=np.float64)

    return VectorQuantizer(
        name=f"codebook of {value.positions} groups of {value.width}, {stages} stages, sharing {value.sharing}",
        encode=lambda x: value.quantize(x.reshape(-1, *value.tail)).reshape(len(x), -1),
        decode=lambda codes: value.dequantize(shaped(codes)).reshape(len(codes), dims),
        counts=(value.centroids.shape[2],) * (value.positions * stages),
        dims=dims,
        stages=stages,
        partial=partial_sum,
        nearest=is_plain,
        recovers=is_plain,
    )


def _one_levels(value: Levels, place: tuple[int, ...]) -> Quantizer:
    return _levels(Levels(levels=value.levels[place], thresholds=value.thresholds[place]))


def _one_bases(value: Bases, place: tuple[int, ...]) -> Quantizer:
    limits = None if value.thresholds is None else value.thresholds[place]
    one = Bases(alphas=value.alphas[place], offset=value.offset[place], thresholds=limits, greedy=value.greedy)
    return _bases(one)


def _one_scale(rounding: RoundingMode, value: QParams, place: tuple[int, ...]) -> Quantizer:
    one = _with(value, scale=value.scale[place], zero_point=value.zero_point[place], block=None)
    return _uniform(one, rounding)


def _blocks(
    value: Any, table: Array, shape: tuple[int, ...] | None, one: Callable[[Any, Any], Quantizer]
) -> BlockQuantizer:
    counts, block = table.shape[:-1], value.block
    sizes = shape or tuple(count * size if size else 3 for count, size in zip(counts, block, strict=True))
    parts = []
    for place in product(*map(range, counts)):
        index = tuple(
            slice(i * size, (i + 1) * size) if size else slice(None) for i, size in zip(place, block, strict=True)
        )
        parts.append((index, one(value, place)))
    return BlockQuantizer(
        name=f"{type(value).__name__} {value.bits} bits in {'x'.join(map(str, counts))} blocks",
        quantize=lambda x: quantize_array(x, value),
        dequantize=lambda codes: dequantize_array(codes, value),
        shape=sizes,
        parts=parts,
    )


def requantizer(value: Requantizer, **declared: Any) -> RequantizeFunction:
    """A requantizer as a function of (acc, m, s): m and s are formed into a real factor, which it splits again."""
    settings = {"name": value.name, "shifts": (-31, 7 if value.name == "int64" else 15), **declared}
    return RequantizeFunction(
        apply=lambda acc, m, s: value(acc, np.ldexp(float(m), s - 31)), rule=value.name, **settings
    )


def register(value: Accumulator) -> Register:
    """An accumulator fitted after every addition; one that raises is taken as its wrapping twin."""
    overflow = "saturate" if value.overflow == "saturate" else "wrap"
    used = replace(value, overflow=overflow, order="sequential")
    return Register(
        name=f"{value.bits} bits {overflow}",
        bits=value.bits,
        overflow=overflow,
        add_up=lambda start, terms: int(used.add_up(start, [np.array([t]) for t in terms] or [np.array([0])])[0]),
    )
