"""Nearest centroids and their update: the two halves of a Lloyd iteration.

    label[n] = argmax_c x[n] . c - |c|**2 / 2        the same c as argmin |x[n] - c|**2; the lowest of equals

Points lie on the lanes of a vector, 64 to a panel, and centroids are broadcast against them, so that the running best
needs no reduction across lanes. A block of 4 vectors x 4 centroids keeps 16 scores, 4 best scores and 4 labels in
registers. All sums are float32 fused multiply-adds in the order of the dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refq.kernels.compiled import compiled

LANES, VECTORS, CENTROIDS = 16, 4, 4
POINTS = LANES * VECTORS
"""Points of a panel."""

_I32, _I64, _F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()
_FLOATS, _LABELS = ir.VectorType(_F32, LANES), ir.VectorType(_I32, LANES)


def _i64(value: int) -> Any:
    return ir.Constant(_I64, value)


def _load(builder: Any, address: Any, kind: Any, align: int) -> Any:
    loaded = builder.load(builder.inttoptr(address, kind.as_pointer()))
    loaded.align = align
    return loaded


def _spread(builder: Any, scalar: Any, vector: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))


def _nearest_points(context, panel, dims, centroids, halves, groups, labels, scores):
    """By address: panel [dims][64] and centroids [groups][dims][4] float32, halves [groups * 4] float32 = |c|**2 / 2
    (infinite where there is no centroid), labels [64] int32, scores [64] float32.
    """

    def emit(target: Any, builder: Any, _: Any, arguments: Any) -> Any:
        panel, dims, centroids, halves, groups, labels, scores = arguments
        lowest = ir.Constant(_FLOATS, [-np.inf] * LANES)
        best = [cgutils.alloca_once_value(builder, lowest) for _ in range(VECTORS)]
        found = [cgutils.alloca_once_value(builder, ir.Constant(_LABELS, [0] * LANES)) for _ in range(VECTORS)]
        with cgutils.for_range(builder, groups) as group:
            start = builder.add(halves, builder.mul(group.index, _i64(4 * CENTROIDS)))
            block = builder.add(centroids, builder.mul(group.index, builder.mul(dims, _i64(4 * CENTROIDS))))
            totals = _scores(builder, panel, dims, block, start)
            for c in range(CENTROIDS):
                number = builder.trunc(builder.add(builder.mul(group.index, _i64(CENTROIDS)), _i64(c)), _I32)
                label = _spread(builder, number, _LABELS)
                for v in range(VECTORS):
                    held = builder.load(best[v])
                    higher = builder.fcmp_ordered(">", totals[c][v], held)
                    builder.store(builder.select(higher, totals[c][v], held), best[v])
                    builder.store(builder.select(higher, label, builder.load(found[v])), found[v])
        for v in range(VECTORS):
            for base, value, kind in ((labels, found[v], _LABELS), (scores, best[v], _FLOATS)):
                place = builder.inttoptr(builder.add(base, _i64(4 * LANES * v)), kind.as_pointer())
                builder.store(builder.load(value), place).align = 4
        return target.get_dummy_value()

    return types.void(*[types.intp] * 7), emit


_nearest: Any = intrinsic(_nearest_points)


def _scores(builder: Any, panel: Any, dims: Any, block: Any, start: Any) -> list[list[Any]]:
    fma = builder.module.declare_intrinsic("llvm.fma.v16f32", (), ir.FunctionType(_FLOATS, (_FLOATS,) * 3))
    first = []
    for c in range(CENTROIDS):
        half = _spread(builder, _load(builder, builder.add(start, _i64(4 * c)), _F32, 4), _FLOATS)
        first.append([builder.fsub(ir.Constant(_FLOATS, [-0.0] * LANES), half)] * VECTORS)
    before, loop, done = builder.block, builder.append_basic_block("dim"), builder.append_basic_block("dims")
    builder.branch(loop)
    builder.position_at_end(loop)
    d, totals = builder.phi(_I64), [[builder.phi(_FLOATS) for _ in range(VECTORS)] for _ in range(CENTROIDS)]
    d.add_incoming(_i64(0), before)
    row = builder.add(panel, builder.mul(d, _i64(4 * POINTS)))
    points = [_load(builder, builder.add(row, _i64(4 * LANES * v)), _FLOATS, 64) for v in range(VECTORS)]
    column = builder.add(block, builder.mul(d, _i64(4 * CENTROIDS)))
    added = []
    for c in range(CENTROIDS):
        value = _spread(builder, _load(builder, builder.add(column, _i64(4 * c)), _F32, 4), _FLOATS)
        added.append([builder.call(fma, (points[v], value, totals[c][v])) for v in range(VECTORS)])
    after = builder.add(d, _i64(1))
    d.add_incoming(after, loop)
    for c in range(CENTROIDS):
        for v in range(VECTORS):
            totals[c][v].add_incoming(first[c][v], before)
            totals[c][v].add_incoming(added[c][v], loop)
    builder.cbranch(builder.icmp_signed("<", after, dims), loop, done)
    builder.position_at_end(done)
    return added


# By address, as `_nearest`: panels (panels, dims, 64) aligned to 64, labels and scores (panels, 64); dims >= 1.
@compiled
def nearest_of_panels(panels, count, dims, centroids, halves, groups, labels, scores):
    for p in range(count):
        panel = panels + p * dims * POINTS * 4
        _nearest(panel, dims, centroids, halves, groups, labels + p * POINTS * 4, scores + p * POINTS * 4)


# x (points, dims), middle (dims) float64, panels (panels, dims, 64) float32 holding zeros: (x - middle) * factor.
# Returns how many coordinates exceed `limit` in magnitude.
@compiled
def fill_panels(x, middle, factor, limit, panels):
    beyond = 0
    for p in range(panels.shape[0]):
        first = p * POINTS
        for d in range(x.shape[1]):
            for n in range(min(POINTS, x.shape[0] - first)):
                value = (x[first + n, d] - middle[d]) * factor
                beyond += abs(value) > limit
                panels[p, d, n] = value
    return beyond


# panels (panels, dims, 64), centroids (centroids, dims), halves (centroids) float32, totals (64) float32 to write to,
# labels (panels, 64) int32, scores (panels, 64) float32; for any processor.
@compiled
def plain_nearest(panels, centroids, halves, totals, labels, scores):
    for p in range(panels.shape[0]):
        labels[p] = 0
        scores[p] = -np.inf
        for c in range(centroids.shape[0]):
            totals[:] = -halves[c]
            for d in range(centroids.shape[1]):
                value = centroids[c, d]
                for n in range(POINTS):
                    totals[n] += panels[p, d, n] * value
            for n in range(POINTS):
                if totals[n] > scores[p, n]:
                    labels[p, n], scores[p, n] = c, totals[n]


# panels (panels, dims, 64) float32, labels (points) int32; sums (centroids, dims) float64 and counts (centroids) int64
# hold zeros. Points are added in their order, so that the sums do not depend on threads.
@compiled
def add_up(panels, labels, sums, counts):
    for n in range(labels.shape[0]):
        label = labels[n]
        counts[label] += 1
        for d in range(sums.shape[1]):
            sums[label, d] += panels[n // POINTS, d, n % POINTS]


# panels (panels, dims, 64), centre (dims), totals (64) to write to, distances (points) float32: squared distances,
# lowered where centre is nearer; sums (panels) float64: the sum of distances of each panel.
@compiled
def lower_distances(panels, centre, totals, distances, sums):
    for p in range(panels.shape[0]):
        totals[:] = 0
        for d in range(centre.shape[0]):
            for n in range(POINTS):
                difference = panels[p, d, n] - centre[d]
                totals[n] += difference * difference
        sums[p] = 0
        for n in range(p * POINTS, min((p + 1) * POINTS, distances.shape[0])):
            distances[n] = min(distances[n], totals[n % POINTS])
            sums[p] += distances[n]
