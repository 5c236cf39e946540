"""Sums, tables, pools and softmax onto kernels."""

from __future__ import annotations

import numpy as np

from refq.layers.add import common_scale
from refq.layers.mean import fold_count
from refq.numerics.softmax8 import softmax_parameters
from refq.plan.lowering import Array, Bind, Call, Site, aligned, fixed_point, lowers, requantized


@lowers("Add", "Subtract")
def _add(site: Site) -> Bind | None:
    a_grid, b_grid, out = *site.grids, site.out
    if not site.is_int8(0, 1) or a_grid is None or b_grid is None or site.constants:
        return None
    if site.layer.shift_only or site.shapes[0] != site.shapes[1]:
        return None
    from refq.kernels.elementwise import add

    requantizer = site.arithmetic.requantizer(site.node.op, a_grid.bits)
    left, ratios, real = common_scale((a_grid, b_grid), out)
    factors = [fixed_point(requantizer, factor, 1 << (left + 9)) for factor in (*ratios, real)]
    known = [factor for factor in factors if factor is not None]
    if len(known) < len(factors):
        return None
    signs = (1, 1 if site.node.op == "Add" else -1)
    larger = int(ratios[1] > ratios[0])
    first, second = ((grid, int(m[0]), int(s[0])) for grid, (_, m, s) in zip((a_grid, b_grid), known[:2], strict=True))
    if larger:
        first, second = second, first
    if first[1:] != (1 << 30, 0) or not 9 <= left <= 21:
        return None  # not the factor of one half that the kernel takes for granted, or products beyond 32 bits
    rule, m, s = known[2]
    factor = signs[larger] << (left - 1)
    settings = np.array(
        [first[0].zero_point, factor, second[0].zero_point, *second[1:], m[0], s[0], signs[1 - larger]], np.int32
    )
    shortest = requantized(site, rule, s)
    limits = shortest if rule == 0 else (rule, *shortest[1:])

    def bind(inputs: list[Array], y: Array) -> Call:
        operands = [array.reshape(-1) for array in inputs]
        x0, x1, flat = operands[larger], operands[1 - larger], y.reshape(-1)
        return lambda: add(x0, x1, settings, left, limits, flat)

    return bind


def lower_table(site: Site) -> Bind | None:
    """A function of one code: what `Layer.integer` makes of each of the 256."""
    grid = site.grids[0]
    if not site.is_int8(0) or len(site.grids) != 1 or grid is None:
        return None
    from refq.kernels.elementwise import look_up

    table = aligned((256,), np.int8)
    codes = np.arange(grid.qmin, grid.qmax + 1).astype(np.int8)
    found = site.compute([codes])
    if found is None:
        return None  # not every code has a value: the layer says so when one of those arrives
    table[codes.view(np.uint8)] = found

    def bind(inputs: list[Array], y: Array) -> Call:
        x, flat = inputs[0].reshape(-1).view(np.uint8), y.reshape(-1)
        return lambda: look_up(x, table, flat)

    return bind


@lowers("AveragePool2D", "MaxPool2D", interpretable=True)
def _pool(site: Site) -> Bind | None:
    if not site.is_int8(0) or site.grids[0] != site.out:
        return None
    from refq.kernels.elementwise import average, largest

    window = site.layer.window(site.shapes[0])
    geometry = (*window.kernel, *window.strides, window.pads[0][0], window.pads[1][0])
    low, high = site.limits

    def bind(inputs: list[Array], y: Array) -> Call:
        x, acc = inputs[0], aligned((y.shape[3],), np.int32)
        if site.node.op == "MaxPool2D":
            return lambda: largest(x, geometry, low, high, y)
        return lambda: average(x, geometry, low, high, acc, y)

    return bind


@lowers("Softmax", interpretable=True)
def _softmax(site: Site) -> Bind | None:
    rank, grid = len(site.shapes[0]), site.grids[0]
    is_last = site.layer.axis % rank == rank - 1
    if not site.is_int8(0) or grid is None or grid.bits != 8 or site.out.bits != 8 or not is_last:
        return None
    if float(site.out.scale) != 2.0**-8 or int(site.out.zero_point) != -128:
        return None
    from refq.kernels.softmax import softmax_rows

    multiplier, left_shift, diff_min = softmax_parameters(float(grid.scale), float(np.float32(site.layer.beta)))
    low, high = site.limits

    def bind(inputs: list[Array], y: Array) -> Call:
        width = y.shape[-1]
        x, out, terms = inputs[0].reshape(-1, width), y.reshape(-1, width), np.zeros(width, np.int64)
        return lambda: softmax_rows(x, multiplier, left_shift, diff_min, low, high, terms, out)

    return bind


@lowers("Mean")
def _mean(site: Site) -> Bind | None:
    """Means over every axis between the first and the last: global pools."""
    grid, shape = site.grids[0], site.shapes[0]
    if not site.is_int8(0) or grid is None or len(shape) < 3 or not site.layer.axes:
        return None
    if sorted(site.layer.reduced(shape)) != list(range(1, len(shape) - 1)):
        return None
    from refq.kernels.elementwise import mean_of_rows

    count, channels = site.layer.count(shape), shape[-1]
    requantizer = site.arithmetic.requantizer("Mean", grid.bits)
    real = grid.scale.astype(np.float64) / site.out.scale.astype(np.float64)
    found = fixed_point(requantizer, real, 255 * count, lambda m, s: fold_count(m, s, count))
    if found is None:
        return None
    rule, m, s = found
    constants = aligned((3, channels + 16), np.int32)
    constants[0], constants[1], constants[2] = -count * int(grid.zero_point), m, s
    limits = requantized(site, rule, s)

    def bind(inputs: list[Array], y: Array) -> Call:
        x, acc = inputs[0].reshape(len(inputs[0]), count, channels), aligned((channels,), np.int32, 0, 64)
        out = y.reshape(len(x), channels)
        return lambda: mean_of_rows(x, constants, limits, acc, out)

    return bind
