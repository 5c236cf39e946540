"""Layers that treat codes one by one, or in pairs, onto tables of what the layer gives."""

from __future__ import annotations

import numpy as np

from refq.plan.lowering import Array, Bind, Call, Site, aligned, lowers

_BY_BYTE = np.arange(256, dtype=np.uint8).view(np.int8)
"""Every code, in the order of its byte."""
_PAIRWISE = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "SquaredDifference")
_MOST_CHANNELS = 1 << 14


@lowers("BatchNormalization", "Prelu", *_PAIRWISE, any_rule=True, interpretable=True)
def _channels(site: Site) -> Bind | None:
    """A function of one code beside constants of its channel: 256 entries a channel."""
    activations = [i for i in range(len(site.grids)) if i not in site.constants]
    if len(activations) != 1:
        return None
    place = activations[0]
    grid, shape = site.grids[place], site.shapes[place]
    if not site.is_int8(place) or grid is None or grid.bits != 8 or len(shape) < 2 or shape[-1] > _MOST_CHANNELS:
        return None
    channels = shape[-1]
    if site.node.op == "BatchNormalization":
        is_last = site.layer.axis % len(shape) == len(shape) - 1
    else:
        of_channels = [c.ndim <= len(shape) and c.size in (1, channels) for c in site.constants.values()]
        is_last = all(of_channels) and all(c.shape[-1:] in ((), (c.size,)) for c in site.constants.values())
    if not is_last:
        return None
    codes = np.broadcast_to(_BY_BYTE.reshape(256, *[1] * (len(shape) - 1)), (256, *[1] * (len(shape) - 2), channels))
    found = site.compute([site.constants.get(i, codes) for i in range(len(site.grids))])
    if found is None or found.size != 256 * channels:
        return None
    from refq.kernels.moving import look_up_channels

    tables = aligned((channels, 256), np.int8)
    tables[...] = found.reshape(256, channels).T

    def bind(inputs: list[Array], y: Array) -> Call:
        x, out = inputs[0].reshape(-1, channels).view(np.uint8), y.reshape(-1, channels)
        return lambda: look_up_channels(x, tables, out)

    return bind


@lowers(*_PAIRWISE, any_rule=True, interpretable=True)
def _pairs(site: Site) -> Bind | None:
    """A function of two codes: 65,536 entries."""
    if len(site.grids) != 2 or site.constants or not site.is_int8(0, 1):
        return None
    if any(grid is None or grid.bits != 8 for grid in site.grids):
        return None
    table = site.compute([_BY_BYTE[:, None], _BY_BYTE[None, :]])
    if table is None:
        return None
    from refq.kernels.moving import look_up_pairs

    def bind(inputs: list[Array], y: Array) -> Call:
        flat, stretch = zip(*(_stretched(x, y.shape) for x in inputs), strict=True)
        a, b, out = *(x.view(np.uint8) for x in flat), y.reshape(-1)

        def call() -> None:
            for copy in stretch:
                copy()
            look_up_pairs(a, b, table, out)

        return call

    return bind


def _stretched(x: Array, shape: tuple[int, ...]) -> tuple[Array, Call]:
    """All elements that an operand broadcasts to, and the call that brings them up to date."""
    if x.shape == shape:
        return x.reshape(-1), lambda: None
    whole, seen = np.empty(shape, x.dtype), np.broadcast_to(x, shape)
    return whole.reshape(-1), lambda: np.copyto(whole, seen)
