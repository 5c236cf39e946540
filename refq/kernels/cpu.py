"""Which kernels run: what the processor can do, and what the environment asks for.

    REFQ_KERNELS=numpy     NumPy only; the specification
    REFQ_KERNELS=generic   plain loops compiled by Numba, for any processor
    REFQ_KERNELS=native    the best instruction set of this processor (the default)
    REFQ_KERNELS=native-avx512vnni | native-avx512bw | native-avxvnni | native-avx2      that one, if it is there

The variable is read at each call, so that a test or a user may change it in a running process. All routes give the
same integers.
"""

from __future__ import annotations

import os
from functools import cache

from refq.errors import UnsupportedError

INSTRUCTION_SETS: dict[str, tuple[str, ...]] = {
    "avx512vnni": ("avx512vnni", "avx512bw"),
    "avx512bw": ("avx512bw",),
    "avxvnni": ("avxvnni", "avx2"),
    "avx2": ("avx2",),
}
"""Instruction sets with kernels of their own, best first, and the processor features they need."""

VARIABLE = "REFQ_KERNELS"


def has_instructions() -> bool:
    """Whether kernels can emit instructions: not where NUMBA_DISABLE_JIT leaves them to the interpreter."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


@cache
def features() -> frozenset[str]:
    """The processor's features that kernels can use, by LLVM's names; empty on other architectures."""
    if not has_instructions():
        return frozenset()
    from llvmlite import binding

    try:
        return frozenset(name for name, is_there in binding.get_host_cpu_features().items() if is_there)
    except RuntimeError:  # LLVM cannot tell on this platform
        return frozenset()


@cache
def available() -> tuple[str, ...]:
    """The names of `INSTRUCTION_SETS` that kernels can use, best first."""
    return tuple(name for name, needs in INSTRUCTION_SETS.items() if features().issuperset(needs))


def route() -> str:
    """The kernels to use now: "numpy", "generic", or a name of `INSTRUCTION_SETS`.

    Raises
    ------
    UnsupportedError    REFQ_KERNELS names nothing that exists, or an instruction set this processor lacks
    """
    return _route(os.environ.get(VARIABLE, "native"))


@cache
def _route(wanted: str) -> str:
    if wanted in ("numpy", "generic"):
        return wanted
    name = wanted.removeprefix("native-")
    if wanted == "native":
        return (*available(), "generic")[0]
    if name == wanted or name not in INSTRUCTION_SETS:
        choices = ", ".join(["numpy", "generic", "native", *(f"native-{known}" for known in INSTRUCTION_SETS)])
        raise UnsupportedError(f"{VARIABLE}={wanted!r} names no kernels; use one of {choices}")
    if name not in available():
        raise UnsupportedError(
            f"{VARIABLE}={wanted!r} needs {' and '.join(INSTRUCTION_SETS[name])}, this processor has "
            f"{', '.join(available()) or 'none of the instruction sets'}; unset it, or use generic"
        )
    return name
