"""The specification of a device as frozen structs, and the reader of its TOML file.

Every number is `{ value = .., source = ".." }`; its unit is the suffix of its key. Unknown keys, wrong unit suffixes,
values without a source and sources that resolve to nothing are refused with one line: file, key path, value, remedy.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from hwsim.arch.gpu import TensorCores
from hwsim.arch.kernels import Kernels
from hwsim.arch.precision import Multiplier, widths
from hwsim.arch.quantity import Frozen, Quantity
from hwsim.arch.rows import RowStationary
from hwsim.arch.spatial import Atomic, MicroArray
from hwsim.arch.window import WindowArray
from hwsim.errors import SpecError

__all__ = ["Arch", "Array", "Frozen", "Memory", "Quantity", "build", "read_toml"]

FREE_TEXT = ("estimate:", "derived:")
"""How a source that is not an id of sources.toml must begin."""

OWN_TABLES = ("microblock", "tensorcore", "row_stationary", "atomic")
"""Tables that carry the name of their engine, and divide by all but a few of their numbers."""
NEEDS = {"systolic": "array", "vector": "kernels", "window": "window", **{name: name for name in OWN_TABLES}}
"""Engine -> the table it cannot work without."""

_MAY_BE_ZERO = ("cycles_per", "latency_cycles", "read_cycles", "write_cycles", "zeros_pct")
"""Beginnings of keys in those tables that may be 0."""

_LARGEST = 1e15
"""No physical quantity in these units is larger."""

_WHOLE = (".rows", ".cols", ".lanes", ".banks", ".products", ".channels", ".filters", ".side", ".reload_filters")
"""Ends of paths of numbers that count something"""

_ABOVE_ZERO = (
    "clock_mhz",
    "bandwidth_mb_per_s",
    "operations_per_us",
    "depthwise_macs_per_cycle",
    "copied_per_cycle",
    "sustained_pct",
    "placement_pct",
    "node_nm",
)
"""Ends of paths of numbers that something is divided by"""

UNITS = (
    "_mhz",
    "_kib",
    "_mb_per_s",
    "_us",
    "_pj_per_byte",
    "_pj",
    "_mw",
    "_mm2",
    "_um2",
    "_bytes",
    "_pct",
    "_nm",
    "_v",
    "_bits",
)


class Packed(Frozen, frozen=True):
    """Products of narrow operands that one element forms and adds in a cycle."""

    precision: str
    products: Quantity


class Array(Frozen, frozen=True):
    """The MAC array: rows x cols, dataflow, whether tiles overlap, and the bit widths it multiplies."""

    rows: Quantity
    cols: Quantity
    dataflow: Literal["os", "ws", "is"]
    precisions: tuple[str, ...]
    overlap: bool = False
    mapping: Literal["im2col", "direct"] = "im2col"
    """What lies along the rows: a filter's whole window, or the channels of one tap"""
    multiplier: Multiplier = "integer"
    """What an element forms products with: a multiplier, sign and gate, a shifter, a table in front of a multiplier"""
    sustained_pct: Quantity | None = None
    packed: tuple[Packed, ...] = ()
    """Bit widths at which an element forms several products a cycle, along the reduction"""


class Vector(Frozen, frozen=True):
    """The unit beside the array: lanes for depthwise, pooling, elementwise work and data movement."""

    lanes: Quantity
    depthwise: bool = False
    depthwise_macs_per_cycle: Quantity | None = None
    copied_per_cycle: Quantity | None = None
    """Elements a cycle that a concatenation copies; the others are written in place. All pass the lanes if absent"""


class Memory(Frozen, frozen=True):
    """One on-chip memory."""

    name: str
    size_kib: Quantity
    holds: Literal["weights", "activations", "both"]
    bandwidth_mb_per_s: Quantity | None = None
    access_pj_per_byte: Quantity | None = None
    area_mm2: Quantity | None = None
    banks: Quantity | None = None
    """Banks that serve the array in parallel, width_bits each; needs width_bits"""
    double_buffered: bool = True
    """Whether it is filled while the array computes"""
    width_bits: Quantity | None = None
    """Width of a port: with a table [technology], energy, leakage and area that are not given come from there"""


class Technology(Frozen, frozen=True):
    """Where costs that the specification does not state come from: files of specs/technology."""

    basis: str
    node_nm: Quantity
    voltage_v: Quantity | None = None
    accumulator_bits: Quantity | None = None
    sram_cell: Literal["lop", "hp", "lstp"] = "lop"
    off_chip: str | None = None
    requantizer: Literal["double", "single", "pow2"] = "double"


class Link(Frozen, frozen=True):
    """What crosses the chip boundary: DRAM, USB or PCIe. It streams the parameters that on-chip memory cannot hold."""

    bandwidth_mb_per_s: Quantity
    access_pj_per_byte: Quantity | None = None
    overlapped: bool = False
    """Whether it transfers while the engine computes"""
    parameters_only: bool = False
    """Whether the model's inputs and outputs are on chip already"""
    whole_tiles: bool = False
    """Whether weights come as whole tiles of the array, padded"""
    coded_pct: Quantity | None = None
    """Entropy-coded weights: size over the entropy of their codes"""


class Host(Frozen, frozen=True):
    """Operations that the device's compiler leaves on the host, and the host's speed."""

    ops: tuple[str, ...]
    operations_per_us: Quantity
    rest_follows: bool = False
    """Whether everything after the first such operation stays on the host too"""


class Overhead(Frozen, frozen=True):
    """What is paid whatever the work: once an inference, once a layer."""

    inference_us: Quantity | None = None
    layer_us: Quantity | None = None


class Energy(Frozen, frozen=True):
    """Energy basis: one 8x8-bit MAC (scaled with the product of the widths), and power drawn all the time."""

    static_mw: Quantity
    element_mw: Quantity | None = None
    """Power of one multiplier and its registers all the time, besides static_mw"""
    mac_pj: Quantity | None = None
    """8x8 bits; from [technology] by width if absent"""
    factor: Quantity | None = None
    """The truth is taken to lie between energy / factor and energy * factor"""


class Area(Frozen, frozen=True):
    """Area basis: one processing element and one requantizer a column, memories by their own entry.

    An array of dot products (`atomic`) has elements, its buffer by size, and what does not grow with either; a chip
    of which nothing else is known has a fixed area.
    """

    pe_um2: Quantity | None = None
    requantizer_um2: Quantity | None = None
    placement_pct: Quantity | None = None
    buffer_mm2_per_kib: Quantity | None = None
    fixed_mm2: Quantity | None = None


class Errors(Frozen, frozen=True):
    """Measured prediction errors of this specification against published silicon."""

    basis: str
    latency_pct: Quantity | None = None
    energy_pct: Quantity | None = None


class Arch(Frozen, frozen=True):
    """One device; the fields are the tables of its TOML file, see specs/README.md."""

    name: str
    engine: str
    clock_mhz: Quantity
    description: str = ""
    array: Array | None = None
    vector: Vector | None = None
    memory: tuple[Memory, ...] = ()
    link: Link | None = None
    host: Host | None = None
    kernels: Kernels | None = None
    microblock: MicroArray | None = None
    tensorcore: TensorCores | None = None
    row_stationary: RowStationary | None = None
    atomic: Atomic | None = None
    window: WindowArray | None = None
    overhead: Overhead = Overhead()
    energy: Energy | None = None
    area: Area | None = None
    technology: Technology | None = None
    uncertainty: Errors | None = None
    measured: tuple[dict[str, str], ...] = ()
    """Which rows of published measurements are this device's: column = pattern"""
    fit: tuple[str, ...] = ()
    """Paths of the constants to fit; all whose source begins "derived: fitted" if empty"""
    not_compared: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    """Published model -> why its rows are not comparable"""

    @property
    def precisions(self) -> tuple[str, ...]:
        """Names such as "w8a8" of the widths the device multiplies."""
        owner = getattr(self, NEEDS.get(self.engine, ""), None)
        return () if owner is None else owner.precisions

    def capacity_bytes(self, holds: str) -> float:
        """Bytes of on-chip memory for "weights" or "activations"; inf where the specification names none."""
        found = [m.size_kib.value * 1024 for m in self.memory if m.holds in (holds, "both")]
        return sum(found) if found else math.inf


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary; SpecError names file and line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SpecError(f"{path}: is not TOML ({error}); fix the syntax there") from error


def build(table: Mapping[str, Any], file: str, sources: Mapping[str, Any]) -> Arch:
    """An Arch from a merged table (bases already applied).

    Raises
    ------
    SpecError    one line: file, key path, value, remedy
    """
    _check_keys(table, msgspec.inspect.type_info(Arch), "", file, sources)
    try:
        arch = msgspec.convert(table, Arch)
    except msgspec.ValidationError as error:
        raise SpecError(f"{file}: {_plain(error)}; see specs/README.md for the field") from error
    for index, memory in enumerate(arch.memory):
        if memory.banks is not None and (memory.width_bits is None or memory.width_bits.value <= 0):
            raise SpecError(f"{file}: memory[{index}].banks needs memory[{index}].width_bits above 0; add it")
    for engine, table_name in NEEDS.items():
        if arch.engine == engine and getattr(arch, table_name) is None:
            raise SpecError(f"{file}: engine={engine!r} needs a table [{table_name}]; add it")
    for name in arch.precisions:
        widths(name, file)
    if arch.window is not None and not arch.window.modes:
        raise SpecError(f"{file}: window.modes is empty; add a table [[window.modes]]")
    array = arch.array
    if array is not None and array.multiplier != "integer" and (len(array.precisions) != 1 or array.packed):
        raise SpecError(
            f"{file}: array.multiplier={array.multiplier!r} needs one width in array.precisions and no array.packed; "
            "leave the others out"
        )
    if array is not None and (odd := {p.precision for p in array.packed} - set(array.precisions)):
        raise SpecError(f"{file}: array.packed names {min(odd)!r}, which array.precisions lacks; add it there")
    return arch


def _plain(error: Exception) -> str:
    text = str(error)
    text, _, where = text.partition(" - at `$")
    where = where.strip(".`")
    return (f"{where}: " if where else "") + text.replace("`", "'")


def _check_keys(table: Any, kind: Any, path: str, file: str, sources: Mapping[str, Any]) -> None:
    """Refuse unknown keys and bad quantities, top down, so that the text can name key path and remedy."""
    struct = _struct_of(kind)
    if struct is None:
        items = _items_of(kind)
        if items is not None and isinstance(table, list):
            for index, entry in enumerate(cast("list[Any]", table)):
                _check_keys(entry, items, f"{path}[{index}]", file, sources)
        return
    if struct.cls is Quantity:
        _check_quantity(table, path, file, sources)
        return
    if not isinstance(table, dict):
        raise SpecError(f"{file}: {path}={table!r} must be a table; write [{path}]")
    fields = {field.name: field.type for field in struct.fields}
    for key, value in cast("dict[str, Any]", table).items():
        where = f"{path}.{key}" if path else key
        if key not in fields:
            raise SpecError(f"{file}: {where} is not a key; {_remedy(key, tuple(fields))}")
        _check_keys(value, fields[key], where, file, sources)


def _check_quantity(entry: Any, path: str, file: str, sources: Mapping[str, Any]) -> None:
    if not isinstance(entry, dict):
        raise SpecError(f'{file}: {path}={entry!r} has no source; write {path} = {{ value = {entry}, source = ".." }}')
    given = cast("dict[str, Any]", entry)
    for key in given:
        if key not in ("value", "source"):
            raise SpecError(f"{file}: {path}.{key} is not a key; {_remedy(key, ('value', 'source'))}")
    value, source = given.get("value"), given.get("source")
    check_value(value, path, file)
    if not isinstance(source, str) or not source.strip():
        raise SpecError(f"{file}: {path} has no source; add source = an id of sources.toml or 'estimate: ..'")
    if source not in sources and not source.startswith(FREE_TEXT):
        near = get_close_matches(source, list(sources), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "add it there, or begin with 'estimate:' or 'derived:'"
        raise SpecError(f"{file}: {path}.source={source!r} is not an id of sources.toml; {hint}")


def check_value(value: Any, path: str, file: str) -> None:
    """Refuse what no device can be.

    Raises
    ------
    SpecError    not a number, negative, absurdly large, or zero where a device divides by it
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        raise SpecError(f"{file}: {path}.value={value!r:.40} must be a number from 0 to {_LARGEST:g}; correct it")
    if path.endswith(_WHOLE) and (value < 1 or value != int(value) or value > 65536):
        raise SpecError(f"{file}: {path}.value={value!r} must be a whole number from 1 to 65536; correct it")
    if path.endswith(("sustained_pct", "placement_pct")) and value > 100:
        raise SpecError(f"{file}: {path}.value={value!r} is a share above 100 %; correct it")
    if path == "energy.factor" and value < 1:
        raise SpecError(f"{file}: {path}.value={value!r} must be at least 1; correct it")
    if path.split(".")[0] in OWN_TABLES and value <= 0 and not path.split(".")[-1].startswith(_MAY_BE_ZERO):
        raise SpecError(f"{file}: {path}.value={value!r} must be above 0; correct it")
    if path.endswith(_ABOVE_ZERO) and value <= 0:
        raise SpecError(f"{file}: {path}.value={value!r} must be above 0; correct it")


def _remedy(key: str, known: tuple[str, ...]) -> str:
    stem = key.split("_")[0]
    same = [name for name in known if name.endswith(UNITS) and name.split("_")[0] == stem]
    if same and "_" in key:
        return f"the unit is fixed: use {same[0]!r} and convert the value"
    near = get_close_matches(key, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known keys are {', '.join(known)}"


def _struct_of(kind: Any) -> Any:
    if isinstance(kind, msgspec.inspect.StructType):
        return kind
    if isinstance(kind, msgspec.inspect.UnionType):
        return next((t for t in kind.types if isinstance(t, msgspec.inspect.StructType)), None)
    return None


def _items_of(kind: Any) -> Any:
    return kind.item_type if isinstance(kind, msgspec.inspect.VarTupleType) else None
