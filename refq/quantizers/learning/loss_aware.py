"""Loss-aware weights of one bit and of three levels: LAB and LAT."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refq.errors import TrainingError
from refq.graph.qparams import QParams
from refq.quantizers.apply import dequantize_array, fake_quantize
from refq.quantizers.learning.protocol import Array, Learned, Moment, Pull, Trainable, others
from refq.quantizers.means import positive_scale


class CurvatureAware(Trainable):
    """A rule that weighs errors by the loss's curvature d, which the optimizer estimates: `Moment.curvature`.

    Notes
    -----
    d is an observed value, that of the steps before this one; it is all ones before the first.
    """

    observed = frozenset({"curvature"})
    per_channel: bool

    def start(self, x: Array, axis: int | None) -> Learned:
        return {"curvature": np.ones_like(x)}

    def observe(self, x: Array, learned: Learned, moment: Moment) -> Learned:
        if moment.curvature is None:
            raise TrainingError(
                f"{type(self).__name__}: no curvature of its weights; use adam, and fold normalization never or once"
            )
        return {"curvature": moment.curvature}

    def _rows(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, Array, int | None]:
        """Weights and curvatures in float64, one row a scale, and the axis the scales run along."""
        channels = axis if self.per_channel else None
        count = 1 if channels is None else x.shape[channels]

        def rows(a: Array) -> Array:
            lying = a if channels is None else np.moveaxis(a, channels, 0)
            return lying.reshape(count, -1).astype(np.float64)

        return rows(x), rows(learned["curvature"]), channels


@dataclass(frozen=True, slots=True, kw_only=True)
class LossAwareSignWeights(CurvatureAware):
    """Binary weights whose scale minimizes the loss's second-order model at the real ones.

        y = alpha * b,   b = sign(w),   alpha = |d . w|_1 / |d|_1:   argmin over alpha, b of sum d (alpha b - w)**2
        dw = dy

    Parameters
    ----------
    per_channel : a scale an output channel; a scale a layer as published

    Notes
    -----
    Hou, Yao & Kwok 2017 (LAB), section 3 (closed form of the proximal Newton step, proposition 3.1) and algorithm 1: d
    is the square root of Adam's second moment; real weights take Adam's step by the gradient at the binary ones. Equal
    d give BWN's scale.
    """

    per_channel: bool = False

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        w, d, channels = self._rows(x, axis, learned)
        alpha = (d * np.abs(w)).sum(axis=1) / d.sum(axis=1)
        grid = QParams(scale=positive_scale(alpha if channels is not None else alpha[0]), axis=channels, bits=1)
        return fake_quantize(x, grid), lambda dy: (dy, {}), grid


@dataclass(frozen=True, slots=True, kw_only=True)
class LossAwareTernaryWeights(CurvatureAware):
    """Ternary weights whose scale and support minimize the loss's second-order model at the real ones.

        y = alpha * b,  b in {-1, 0, 1}:   argmin over alpha, b of sum d (alpha b - w)**2;   dw = dy
        exact:        alpha = sum over S of d |w| / sum over S of d;  S = the k largest |w|, k = argmax of
                      (sum over S of d |w|)**2 / sum over S of d
        approximate:  b = round(clip(w / alpha, -1, 1)) and alpha = sum d b w / sum d |b| in turn, from mean |w|

    Parameters
    ----------
    exact : else the alternating solution
    iterations : of the alternating one
    per_channel : a scale an output channel; a scale a layer as published

    Notes
    -----
    Hou & Kwok 2018 (LAT), section 3.1: exact and approximate solutions of the proximal Newton step; d as in LAB. For a
    given alpha the best b follows from |w| > alpha / 2 whatever d is, so that S holds the largest |w|, and one pass
    over the sorted ones finds it.
    """

    exact: bool = True
    iterations: int = 10
    per_channel: bool = False

    def _exact(self, w: Array, d: Array) -> tuple[Array, Array]:
        """(support, alpha) of every row.

        Along a run of equal magnitudes the quotient is convex in the mass: the largest is never inside a run.
        """
        size = np.abs(w)
        order = np.argsort(-size, axis=1, kind="stable")
        ranked, weight = (np.take_along_axis(a, order, axis=1) for a in (size, d))
        total, mass = np.cumsum(weight * ranked, axis=1), np.cumsum(weight, axis=1)
        best = (total**2 / mass).argmax(axis=1)[:, None]
        alpha, least = (np.take_along_axis(a, best, axis=1) for a in (total / mass, ranked))
        return size >= least, alpha[:, 0]

    def _alternating(self, w: Array, d: Array) -> tuple[Array, Array]:
        size = np.abs(w)
        alpha: Array = size.mean(axis=1)
        kept: Array = size > alpha[:, None] / 2
        for _ in range(self.iterations):
            mass: Array = np.sum(d * kept, axis=1)
            total: Array = np.sum(d * size * kept, axis=1)
            alpha = np.where(mass > 0, total / np.where(mass > 0, mass, 1), alpha)
            kept = size > alpha[:, None] / 2
        return kept, alpha

    def stored(self, x: Array, axis: int | None, learned: Learned) -> tuple[Array, QParams]:
        w, d, channels = self._rows(x, axis, learned)
        kept, alpha = self._exact(w, d) if self.exact else self._alternating(w, d)
        grid = QParams(
            scale=positive_scale(alpha if channels is not None else alpha[0]), axis=channels, bits=2, narrow=True
        )
        codes = (np.sign(w) * kept).astype(grid.dtype)
        if channels is None:
            return codes.reshape(x.shape), grid
        shape = (x.shape[channels], *(x.shape[i] for i in others(x, channels)))
        return np.moveaxis(codes.reshape(shape), 0, channels), grid

    def apply(self, x: Array, axis: int | None, learned: Learned, moment: Moment) -> tuple[Array, Pull, QParams | None]:
        codes, grid = self.stored(x, axis, learned)
        return dequantize_array(codes, grid, x.dtype), lambda dy: (dy, {}), grid
