"""LoopNest: the arithmetic of one node as loop bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from refq.graph.codebook import Codebook, Multiplier

NestKind = Literal[
    "mac", "depthwise", "matmul", "pool", "elementwise", "lookup", "softmax", "normalize", "move", "none"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopNest:
    """Loop bounds and operand sizes of one node, what an accelerator model needs to cost it.

        for n, g, k, c, oy, ox, fy, fx:
            y[n, oy, ox, g, k] += x[n, oy*sy + fy*dy, ox*sx + fx*dx, g, c] * w[g, k, fy, fx, c]

    Parameters
    ----------
    kind : str
        mac: convolution or dense; depthwise: one input channel a group; matmul: both operands are activations;
        pool, elementwise, lookup (one table access an element), softmax, normalize: scalar work; move: data
        movement only; none: no work at run time (a change of shape).
    N, G, K, C, OY, OX, FY, FX : int >= 0
        Batch, groups, output channels a group, input channels a group, output height and width, kernel height and
        width. All 1 where a loop does not exist. Only mac, depthwise, matmul and pool use them.
    stride, dilation : (int, int)      height, width
    inputs : tuple of int              elements of each activation operand
    weights, biases : int              elements of the parameters read
    outputs : int                      elements written
    operations : int                   scalar operations that are not MACs (adds, compares, table reads)
    weight_bits : float or None        stored bits of codes for one weight; None where the grid's width says it
    weight_metadata_bytes : int        tables and scales beside the codes
    multiplier : str                   how hardware multiplies by a weight, see `Codebook`

    Examples
    --------
    >>> LoopNest(kind="mac", K=10, C=64, inputs=(64,), weights=640, biases=10, outputs=10).macs
    640
    """

    kind: NestKind
    N: int = 1
    G: int = 1
    K: int = 1
    C: int = 1
    OY: int = 1
    OX: int = 1
    FY: int = 1
    FX: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    inputs: tuple[int, ...] = ()
    weights: int = 0
    biases: int = 0
    outputs: int = 0
    operations: int = 0
    weight_bits: float | None = None
    weight_metadata_bytes: int = 0
    multiplier: Multiplier = "multiply"

    @property
    def bounds(self) -> dict[str, int]:
        """The loop bounds by letter."""
        return {letter: getattr(self, letter) for letter in ("N", "G", "K", "C", "OY", "OX", "FY", "FX")}

    def with_weights(self, codebook: Codebook | None) -> LoopNest:
        """The same loops with weights held as a codebook holds them."""
        if codebook is None:
            return self
        return replace(
            self,
            weight_bits=codebook.bits_per_weight,
            weight_metadata_bytes=codebook.metadata_bytes,
            multiplier=codebook.multiplier,
        )

    @property
    def macs(self) -> int:
        """Multiply-accumulates; 0 for kinds that have none."""
        if self.kind not in ("mac", "depthwise", "matmul"):
            return 0
        return self.N * self.G * self.K * self.C * self.OY * self.OX * self.FY * self.FX
