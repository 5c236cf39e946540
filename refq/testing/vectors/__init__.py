"""Corner vectors: operands and results at the corners of every operation, without randomness, for export to a bench.

quantize-<mode>        ties of both signs, clamp edges, zero points at their limits, infinities
requantize-<rule>      every tie of every rounding step, one below, one above, clamp edges, extremes, every shift
accumulate-<overflow>  registers of 16, 24 and 32 bits at and past both ends
matmul, conv2d         K = 1, ragged sizes, sums of equal signs, zero points at their limits
binary-dot             words full, one short, one over
pack-<bits>            1, 2 and 4 bits with every tail
"""

from refq.testing.vectors.corner import CornerVector
from refq.testing.vectors.listing import CORNER_OPS, corner_vectors

__all__ = ["CORNER_OPS", "CornerVector", "corner_vectors"]
