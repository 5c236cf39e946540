"""Parameter headers of a layer: a SystemVerilog package and its Verilog-2005 twin, from the same integers."""

from __future__ import annotations

import re

from refq.verify.records import LayerRecord
from refq.verify.words import WordFormat

ROUNDINGS = ("double", "single", "single_away", "dyadic", "pow2", "int64", "float32_half_even")
"""Numbers of the requantizers in ROUNDING, in this order; those of the reference RTL come first."""


def identifier(text: str) -> str:
    """A legal Verilog identifier made of a name.

    >>> identifier("dense/activation"), identifier("3x3")
    ('dense_activation', 'n3x3')
    """
    clean = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return clean if clean[:1].isalpha() else f"n{clean}"


def values(record: LayerRecord, formats: dict[str, WordFormat]) -> dict[str, int]:
    """Every constant of a layer: sizes, zero points, limits, word widths, the number of its rounding."""
    found = {name.upper(): value for name, value in record.parameters.items()}
    for name, form in formats.items():
        found |= {f"{name.upper()}_BITS": form.bits, f"{name.upper()}_LANES": form.lanes}
    if record.requantizer in ROUNDINGS:
        found["ROUNDING"] = ROUNDINGS.index(record.requantizer)
    return found


def verilog(name: str, constants: dict[str, int]) -> str:
    """Verilog-2005: localparam lines to `include inside a module."""
    lines = [f"// {identifier(name)}", *(f"localparam {key} = {_literal(value)};" for key, value in constants.items())]
    return "\n".join(lines) + "\n"


def _literal(value: int) -> str:
    """A number with its width where the 32 bits of a plain one do not hold it."""
    if -(1 << 31) <= value < 1 << 31:
        return str(value)
    return f"-64'sd{-value}" if value < 0 else f"64'sd{value}"


def systemverilog(name: str, constants: dict[str, int]) -> str:
    """SystemVerilog: a package of typed parameters, and the roundings as an enumeration."""
    package = f"{identifier(name)}_pkg"
    choices = ", ".join(f"ROUND_{rounding.upper()} = {i}" for i, rounding in enumerate(ROUNDINGS))
    guard = package.upper()
    lines = [
        f"`ifndef {guard}",
        f"`define {guard}",
        f"package {package};",
        f"  typedef enum int {{{choices}}} rounding_e;",
    ]
    for key, value in constants.items():
        kind = "int" if -(1 << 31) <= value < 1 << 31 else "longint"
        lines.append(f"  localparam {kind} {key} = {_literal(value)};")
    return "\n".join([*lines, f"endpackage : {package}", "`endif"]) + "\n"
