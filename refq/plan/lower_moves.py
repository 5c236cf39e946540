"""Layers that move codes, onto copies of runs."""

from __future__ import annotations

import numpy as np

from refq.errors import RefqError
from refq.graph import QParams
from refq.layers.base import rescale
from refq.plan.lowering import Array, Bind, Call, Site, aligned, lowers

_MOST_RUNS = 1 << 18
_SPATIAL = ("Pad", "Slice", "ResizeNearest", "DepthToSpace", "SpaceToDepth", "BatchToSpace", "SpaceToBatch")
_OTHER = ("Transpose", "Reverse", "Tile", "Reshape", "Identity", "Requantize", "BroadcastTo")
_IMAGES = 3


@lowers(*_SPATIAL, *_OTHER, any_rule=True, interpretable=True)
def _move(site: Site) -> Bind | None:
    """A move of elements within every image.

    Where elements go is found by moving their numbers; what the layer gives for random codes has to agree.
    """
    grid, shape = site.grids[0], site.shapes[0]
    if not site.is_int8(0) or grid is None or len(site.grids) != 1 or len(shape) < 2 or shape[0] != 1:
        return None
    table = _table(site, grid)
    sources = _sources(site, shape)
    if table is None or sources is None:
        return None
    rng = np.random.default_rng(0)
    x = rng.integers(grid.qmin, grid.qmax + 1, shape).astype(np.int8)
    found = site.compute([x])
    if found is None or found.size != len(sources):
        return None
    y, is_fill = found.reshape(-1), sources < 0
    fill = int(y[is_fill][0]) if is_fill.any() else 0
    moved = x.reshape(-1)[sources]
    mapped = table[moved.view(np.uint8)] if table.size else moved
    runs = _runs(sources)
    if not np.array_equal(y, np.where(is_fill, fill, mapped)) or len(runs) > _MOST_RUNS:
        return None
    from refq.kernels.moving import copy_runs

    def bind(inputs: list[Array], out: Array) -> Call:
        before = inputs[0].reshape(len(inputs[0]), -1).view(np.uint8)
        after = out.reshape(len(out), -1)
        return lambda: copy_runs(before, runs, fill, table, after)

    return bind


def _table(site: Site, grid: QParams) -> Array | None:
    """What becomes of each code, by its byte; empty if it stays as it is."""
    if grid == site.out and site.limits == (grid.qmin, grid.qmax):
        return np.zeros(0, np.int8)
    table = aligned((256,), np.int8)
    codes = np.arange(grid.qmin, grid.qmax + 1).astype(np.int8)
    if grid == site.out:
        found = codes
    elif site.rule is None:
        found = rescale(codes, grid, site.out, site.arithmetic.requantizer(site.node.op, grid.bits))
    else:
        return None
    table[codes.view(np.uint8)] = np.clip(found, *site.limits)
    return table


def _sources(site: Site, shape: tuple[int, ...]) -> Array | None:
    """The element of its image that each element of the output is, -1 for new ones; None if images mix."""
    size = int(np.prod(shape))
    numbers = np.arange(_IMAGES * size, dtype=np.int64).reshape(_IMAGES, *shape[1:])
    try:
        moved = site.layer.move(numbers, np.int64(-1))
    except (RefqError, ValueError):
        return None
    if moved.ndim < 1 or len(moved) != _IMAGES:
        return None
    images = moved.reshape(_IMAGES, -1)
    shifts = np.arange(_IMAGES)[:, None] * size
    images = np.where(images < 0, -1, images - shifts)
    is_apart = np.array_equal(images, np.broadcast_to(images[0], images.shape))
    return images[0] if is_apart and images[0].max(initial=-1) < size else None


def _runs(sources: Array) -> Array:
    """(to, start, length) of the runs of neighbours, and of places to fill."""
    follows = np.where(sources[1:] < 0, sources[:-1] < 0, (sources[1:] == sources[:-1] + 1) & (sources[:-1] >= 0))
    starts = np.concatenate([[0], np.flatnonzero(~follows) + 1])
    lengths = np.diff(np.append(starts, len(sources)))
    return np.ascontiguousarray(np.stack([starts, sources[starts], lengths], 1))


@lowers("Concatenate", any_rule=True, interpretable=True)
def _concatenate(site: Site) -> Bind | None:
    rank = len(site.shapes[0])
    axis = site.layer.axis % rank
    if axis == 0 or site.constants or not site.is_int8(*range(len(site.grids))):
        return None
    codes = np.arange(256, dtype=np.uint8).view(np.int8).reshape([256 if i == axis else 1 for i in range(rank)])
    tables = []
    for grid in site.grids:
        if grid is None or grid.bits != 8:
            return None
        found = site.compute([codes], [grid])
        if found is None:
            return None
        stays = np.array_equal(found, codes)
        tables.append(np.zeros(0, np.int8) if stays else found.reshape(-1))
    widths = [int(np.prod(shape[axis:])) for shape in site.shapes]
    places = [sum(widths[:i]) for i in range(len(widths))]
    from refq.kernels.moving import copy_columns

    def bind(inputs: list[Array], y: Array) -> Call:
        rows = y.reshape(-1, sum(widths))
        parts = [x.reshape(-1, width).view(np.uint8) for x, width in zip(inputs, widths, strict=True)]

        def call() -> None:
            for x, table, first in zip(parts, tables, places, strict=True):
                copy_columns(x, table, first, rows)

        return call

    return bind
