"""Property tests for quantizers, requantizers and integer products: yours as well as refq's own.

    for law in laws_for(subject):
        law.check()

A subject is plain functions with what they declare (`Quantizer`, `RequantizeFunction`, `Matmul`, `Register` ...), or a
value of refq. Laws that do not apply are left out; a broken one names itself, the smallest input, what was
expected and what came out. `corner_vectors(op)` lists the corners without randomness, for export. Needs hypothesis
(`pip install 'refq[testing]'`).

>>> import numpy as np
>>> from refq import QParams
>>> grid = QParams(scale=0.5, bits=4)
>>> q = Quantizer.uniform(lambda x: np.clip(np.rint(x / 0.5), -8, 7), lambda c: c * 0.5, grid, "half_even")
>>> [law.name for law in laws_for(q) if law.check() is None][:3]
['range', 'infinities', 'round trip']
"""

from refq.testing import strategies
from refq.testing.adapt import requantizer, subject_of
from refq.testing.corners import exact_ties, integer_corners, real_corners
from refq.testing.law import Law, LawBroken
from refq.testing.profiles import register_profiles
from refq.testing.registry import laws_for
from refq.testing.solve import accumulators_at
from refq.testing.subjects import (
    BinaryDot,
    BlockQuantizer,
    CodeTable,
    Matmul,
    MultiplierRule,
    NibbleMultiplier,
    OutputStage,
    Packing,
    Quantizer,
    RangeObserver,
    Register,
    RequantizeFunction,
    VectorQuantizer,
)
from refq.testing.vectors import CORNER_OPS, CornerVector, corner_vectors

__all__ = [
    "CORNER_OPS",
    "BinaryDot",
    "BlockQuantizer",
    "CodeTable",
    "CornerVector",
    "Law",
    "LawBroken",
    "Matmul",
    "MultiplierRule",
    "NibbleMultiplier",
    "OutputStage",
    "Packing",
    "Quantizer",
    "RangeObserver",
    "Register",
    "RequantizeFunction",
    "VectorQuantizer",
    "accumulators_at",
    "corner_vectors",
    "exact_ties",
    "integer_corners",
    "laws_for",
    "real_corners",
    "register_profiles",
    "requantizer",
    "strategies",
    "subject_of",
]
