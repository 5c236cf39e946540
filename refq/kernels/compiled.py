"""How kernels are compiled: once a machine, again when any kernel source changes, and without a cache if need be."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache

from refq.kernels.cpu import has_instructions


@cache
def source_version() -> str:
    """Hash of every source file of this package."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _VersionedCache(FunctionCache):
    """Numba's cache on disk, keyed by the whole package instead of the kernel's own file.

    Notes
    -----
    Numba discards cached code when the file of the cached function changes. The instructions a kernel is made of stand
    in another file, and an edit there must discard it as well.
    """

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), source_version())

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:
            _tell_uncached()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call, without the interpreter lock, and keep the machine code on disk.

    Where no directory for the machine code can be written, every process compiles again and says so once. Under
    NUMBA_DISABLE_JIT the function itself, which is its own `py_func`.
    """
    if not has_instructions():
        interpreted: Any = function
        interpreted.py_func = function
        return interpreted
    dispatcher: Any = njit(nogil=True)(function)
    try:
        dispatcher._cache = _VersionedCache(function)
    except (RuntimeError, OSError):
        _tell_uncached()
    return dispatcher


@cache
def _tell_uncached() -> None:
    warnings.warn(
        "compiled kernels cannot be kept on disk, so that every process compiles them again; "
        "set NUMBA_CACHE_DIR to a directory that can be written",
        RuntimeWarning,
        stacklevel=2,
    )
