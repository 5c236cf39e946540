"""Products of narrow integer matrices; `integer_matmul` and `pack_weights` are the public face of the kernels."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError, UnsupportedError
from refq.kernels import cpu, float_product

ROW_TYPES = tuple(map(np.dtype, ("int8", "uint8", "int16")))
COLUMN_TYPES = ROW_TYPES[:2]

FEW_ROWS = 3
"""Up to so many rows, packing a matrix that is used once takes longer than plain loops over it."""

_DOTS = {"avx512vnni": (0, 2), "avxvnni": (1, 3), "avx512bw": (4, 4), "avx2": (5, 5)}
"""The instruction of 8-bit and of 16-bit rows: indices of intrinsics.DOTS."""


class PackedWeights:
    """The right operand of many products, laid out once for the kernels in use; made by `pack_weights`.

    Attributes
    ----------
    b : int8 or uint8, shape (K, N)    the matrix itself
    """

    def __init__(self, b: NDArray[Any]) -> None:
        self.b = b
        self._forms: dict[Any, Any] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """(K, N)."""
        return self.b.shape

    def panels(self, dot: int) -> Any:
        """The form that an instruction reads; kept."""
        if dot not in self._forms:
            from refq.kernels.packing import pack

            self._forms[dot] = pack(self.b, dot)
        return self._forms[dot]

    def transposed(self) -> NDArray[Any]:
        """The form that plain loops read; kept."""
        if "transposed" not in self._forms:
            self._forms["transposed"] = np.ascontiguousarray(self.b.T)
        return self._forms["transposed"]


def pack_weights(b: Any) -> PackedWeights:
    """Lay out a constant right operand once, for any number of products.

    Parameters
    ----------
    b : int8 or uint8, shape (K, N); copied

    Raises
    ------
    UnsupportedError    another type
    ShapeError          not a matrix

    >>> integer_matmul(np.eye(2, dtype=np.int8), pack_weights(np.array([[1, 2], [3, 4]], np.int8))).tolist()
    [[1, 2], [3, 4]]
    """
    packed = PackedWeights(np.array(_matrix("b", b, COLUMN_TYPES)))
    packed.b.flags.writeable = False
    route = cpu.route()
    if route in _DOTS and packed.b.size:
        packed.panels(_DOTS[route][0])
    return packed


def integer_matmul(a: Any, b: Any, threads: int = 1) -> NDArray[np.int32]:
    """Product of two narrow integer matrices.

        c[m, n] = sum over k of a[m, k] * b[k, n]        in int32: exact while it fits, else modulo 2**32

    Parameters
    ----------
    a : int8, uint8 or int16, shape (M, K); any strides
    b : int8 or uint8, shape (K, N), any strides; or what `pack_weights` made of it, where b is used more than once
    threads : at most this many threads work; the result does not depend on it

    Returns
    -------
    int32 array (M, N)

    Raises
    ------
    UnsupportedError    other types, or REFQ_KERNELS asks for what there is not
    ShapeError          not matrices, or inner sizes that differ
    RangeError          threads below 1

    Notes
    -----
    The kernels are chosen by REFQ_KERNELS, see `refq.kernels.cpu`; all give the same result. An int32 sum of int8
    products is exact to K = 131,071 terms, of uint8 by uint8 to 33,025, of int16 by int8 to 511.

    >>> integer_matmul(np.array([[127, -128]], np.int8), np.array([[127], [-128]], np.int8)).tolist()
    [[32513]]
    """
    if threads < 1:
        raise RangeError(f"threads={threads} must be at least 1")
    a = _matrix("a", a, ROW_TYPES)
    packed = isinstance(b, PackedWeights)
    if not isinstance(b, PackedWeights):
        b = PackedWeights(_matrix("b", b, COLUMN_TYPES))
    if a.shape[1] != b.shape[0]:
        raise ShapeError(f"a of shape {a.shape} has {a.shape[1]} columns, b of shape {b.shape} has {b.shape[0]} rows")
    m, n = a.shape[0], b.shape[1]
    if not m * n * a.shape[1]:
        return np.zeros((m, n), np.int32)
    route = cpu.route()
    if route == "numpy":
        return float_product.product(a, b.b)
    c = np.empty((m, n), np.int32)
    if m <= FEW_ROWS and not packed and (b.b.flags.c_contiguous or b.b.flags.f_contiguous):
        from refq.kernels import generic_product

        if b.b.flags.c_contiguous:
            generic_product.product_of_few(np.ascontiguousarray(a), b.b, c)
        else:
            generic_product.product(np.ascontiguousarray(a), b.transposed(), c)
    elif route == "generic":
        from refq.kernels import generic_product
        from refq.kernels.sharing import share

        a, transposed = np.ascontiguousarray(a), b.transposed()
        share(threads, m, 1, lambda low, high: generic_product.product(a[low:high], transposed, c[low:high]))
    else:
        _multiply()(a, b.panels(_DOTS[route][a.dtype == ROW_TYPES[2]]), c, threads)
    return c


@cache
def _multiply() -> Any:
    """The product by panels; looked up once, as the import statement takes as long as a small product."""
    from refq.kernels.panel_product import multiply

    return multiply


def narrow_matmul(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int32] | None:
    """`integer_matmul` of matrices of any integer type, or None where their values or REFQ_KERNELS do not allow it."""
    if cpu.route() in ("numpy", "generic"):
        return None
    rows, columns = _narrowest(a, ROW_TYPES), _narrowest(b, COLUMN_TYPES)
    if rows is None or columns is None:
        return None
    return integer_matmul(a.astype(rows), b.astype(columns))


def _narrowest(x: NDArray[Any], dtypes: tuple[np.dtype[Any], ...]) -> np.dtype[Any] | None:
    low, high = int(x.min()), int(x.max())
    return next((t for t in dtypes if np.iinfo(t).min <= low and high <= np.iinfo(t).max), None)


def _matrix(name: str, x: Any, dtypes: tuple[np.dtype[Any], ...]) -> NDArray[Any]:
    x = np.asarray(x)
    if not x.dtype.isnative:
        x = x.astype(x.dtype.newbyteorder("="))
    if x.dtype not in dtypes:
        raise UnsupportedError(
            f"{name} has type {x.dtype}, integer_matmul takes {', '.join(map(str, dtypes))}; cast it"
        )
    if x.ndim != 2:
        raise ShapeError(f"{name} has shape {x.shape}, integer_matmul takes matrices; reshape it")
    return x
