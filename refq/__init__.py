"""refq: neural networks on three execution paths, float, fake-quant and bit-exact integer.

>>> import refq
>>> g = refq.load("model.h5")                                                             # doctest: +SKIP
>>> q = refq.quantize(g, calibration_images, recipe="int8")                               # doctest: +SKIP
>>> refq.run(q, images, path="integer")                                                   # doctest: +SKIP

Names are resolved on first use: importing refq costs milliseconds and imports neither NumPy nor Numba nor h5py.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refq.accumulators import safe_accumulators
    from refq.comparison import compare
    from refq.execute import run, trace
    from refq.graph import Graph, LoopNest, Node, QParams, TensorSpec
    from refq.io.load import load
    from refq.io.native import save
    from refq.kernels.int4 import grouped_matmul, pack_int4
    from refq.kernels.matmul import integer_matmul, pack_weights
    from refq.numerics import Arithmetic
    from refq.plan import compile
    from refq.quantization import quantize
    from refq.quantizers import Recipe, Scheme
    from refq.verify.export import export_vectors

__version__ = "0.1.0"

_HOMES = {
    "Arithmetic": "refq.numerics",
    "Graph": "refq.graph",
    "LoopNest": "refq.graph",
    "Node": "refq.graph",
    "QParams": "refq.graph",
    "Recipe": "refq.quantizers",
    "Scheme": "refq.quantizers",
    "TensorSpec": "refq.graph",
    "compare": "refq.comparison",
    "compile": "refq.plan",
    "export_vectors": "refq.verify.export",
    "grouped_matmul": "refq.kernels.int4",
    "integer_matmul": "refq.kernels.matmul",
    "load": "refq.io.load",
    "pack_int4": "refq.kernels.int4",
    "pack_weights": "refq.kernels.matmul",
    "quantize": "refq.quantization",
    "run": "refq.execute",
    "safe_accumulators": "refq.accumulators",
    "save": "refq.io.native",
    "trace": "refq.execute",
}

__all__ = [
    "Arithmetic",
    "Graph",
    "LoopNest",
    "Node",
    "QParams",
    "Recipe",
    "Scheme",
    "TensorSpec",
    "compare",
    "compile",
    "export_vectors",
    "grouped_matmul",
    "integer_matmul",
    "load",
    "pack_int4",
    "pack_weights",
    "quantize",
    "run",
    "safe_accumulators",
    "save",
    "trace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'refq' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
