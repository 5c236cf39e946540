"""Comparing dumped memories with exported vectors, without a simulator at hand."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import refq
from refq.errors import LoadError, RangeError
from refq.graph import Node
from refq.layers import layer_for
from refq.verify.behind import behind, behind_sum
from refq.verify.coverage import Coverage, coverage
from refq.verify.diagnosis import Diagnosis, Evidence, faults_of
from refq.verify.export import FORMAT, MANIFEST
from refq.verify.faults import Hypothesis, of_array
from refq.verify.records import LayerRecord, Tensor
from refq.verify.scoreboard import forms
from refq.verify.streams import ArrayOrder
from refq.verify.words import WordFormat, read_hex

SUFFIXES = (".hex", ".mem", ".bin", ".npy")


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorVerdict:
    """One dumped tensor.

    values : how many were compared
    wrong, unknown : how many differ, how many are x, z or were never written
    first : flat index of the first of either, its coordinates, expected and got (None where unknown)
    behind : operands, accumulator and steps behind the first, where the layer is one of products
    differences : got - expected -> how often, the commonest first
    bad_tiles : tiles whose CRC differs, where the vectors hold any
    """

    layer: str
    tensor: str
    file: str
    values: int
    wrong: int
    unknown: int
    bits: int
    first: tuple[int, tuple[int, ...], int, int | None] | None = None
    behind: str = ""
    differences: tuple[tuple[int, int], ...] = ()
    diagnosis: Diagnosis | None = None
    bad_tiles: tuple[int, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether every value is known and right."""
        return not (self.wrong or self.unknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All dumped tensors of a set of vectors; str() prints the report.

    diagnosis : the likeliest cause over all tensors together, equal ones included; None where all are equal
    """

    tensors: tuple[TensorVerdict, ...]
    not_dumped: tuple[str, ...]
    diagnosis: Diagnosis | None = None

    @property
    def is_equal(self) -> bool:
        """Whether everything that was dumped is right."""
        return all(tensor.is_equal for tensor in self.tensors)

    def __str__(self) -> str:
        lines: list[str] = []
        for each in self.tensors:
            state = "equal" if each.is_equal else f"{each.wrong} wrong, {each.unknown} unknown"
            lines.append(f"{each.layer}/{each.tensor}: {state} of {each.values} values ({each.file})")
            if each.first is not None:
                index, where, expected, got = each.first
                lines.append(
                    f"  first at {where}, index {index}: expected {forms(expected, each.bits)}, "
                    f"got {forms('x' if got is None else got, each.bits)}"
                )
            if each.behind:
                lines.append(f"  behind it: {each.behind}")
            if each.differences:
                shown = ", ".join(f"{delta:+d}: {count}" for delta, count in each.differences[:8])
                lines.append(f"  got - expected: {shown}{' ...' if len(each.differences) > 8 else ''}")
            if each.bad_tiles:
                lines.append(f"  tiles that differ: {', '.join(map(str, each.bad_tiles[:16]))}")
            if each.diagnosis is not None:
                lines.append(f"  likeliest cause: {each.diagnosis}")
        if self.not_dumped:
            lines.append(f"layers without a dump: {', '.join(self.not_dumped)}")
        if self.diagnosis is not None:
            lines.append(f"likeliest cause over all of them: {self.diagnosis}")
        wrong = sum(not each.is_equal for each in self.tensors)
        lines.append(
            f"{len(self.tensors)} tensors compared, {wrong} differ" if wrong else f"{len(self.tensors)} tensors equal"
        )
        return "\n".join(lines)


def verify_dumps(folder: str | Path, dumps: str | Path) -> Verdict:
    """Compare dumped memories with the vectors they answer.

    Parameters
    ----------
    folder : vectors, as `export_vectors` wrote them
    dumps : a folder with the same layer folders and files `TENSOR.ext` or `dut_TENSOR.ext` in them, or with files
        `LAYERFOLDER_TENSOR.ext`; it may be `folder` itself, where only dut_ files count. .hex and .mem as $writememh
        writes them, .bin (little-endian words), .npy. Only what is there is compared, at least one file must be

    Raises
    ------
    LoadError    no manifest, one of another format or damaged vectors; no dumps; a dump of the wrong length or radix
    """
    folder, dumps = Path(folder), Path(dumps)
    manifest = _manifest(folder)
    verdicts: list[TensorVerdict] = []
    evidence = Evidence()
    silent: list[str] = []
    for layer in manifest["layers"]:
        found = [
            (name, entry, file)
            for name, entry in layer["tensors"].items()
            if (file := _dump_file(folder, dumps, layer["folder"], name)) is not None
        ]
        if not found:
            silent.append(layer["name"])
            continue
        record = _record(folder, layer)
        array = _array(manifest)
        verdicts += [_compare(folder, layer, name, entry, file, record, array, evidence) for name, entry, file in found]
    if not verdicts:
        raise LoadError(
            f"{dumps}: holds no dump; expected files such as {manifest['layers'][0]['folder']}/dut_y.hex "
            f"({', '.join(SUFFIXES)})"
        )
    return Verdict(
        tensors=tuple(verdicts),
        not_dumped=tuple(silent),
        diagnosis=None if all(each.is_equal for each in verdicts) else evidence.diagnosis(),
    )


def vector_coverage(folder: str | Path) -> Coverage:
    """The corners that vectors in a folder reach; errors as `verify_dumps`."""
    folder = Path(folder)
    manifest = _manifest(folder)
    array = manifest["layout"]["array"] or {"rows": 0, "cols": 0}
    records = (_record(folder, layer) for layer in manifest["layers"])
    return coverage(records, array["rows"], array["cols"])


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadError(f"{path}: no manifest of vectors: {error}") from error
    if not isinstance(manifest, dict) or "layers" not in manifest:
        raise LoadError(f"{path}: no manifest of vectors: it lists no layers")
    if manifest.get("format") != FORMAT:
        found = manifest.get("format")
        raise LoadError(f"{path}: vectors of format {found}, this version reads format {FORMAT}; export them again")
    if manifest.get("version") != refq.__version__:
        raise LoadError(
            f"{path}: vectors of refq {manifest.get('version')}, this is {refq.__version__}; export them again"
        )
    return manifest


def _dump_file(folder: Path, dumps: Path, layer: str, tensor: str) -> Path | None:
    """The dump of a tensor; beside the vectors themselves only dut_ names count, lest vectors prove themselves."""
    stems = [dumps / layer / f"dut_{tensor}", dumps / f"{layer}_{tensor}"]
    if dumps.resolve() != folder.resolve():
        stems.append(dumps / layer / tensor)
    for stem in stems:
        for suffix in SUFFIXES:
            path = stem.with_name(stem.name + suffix)
            if path.is_file():
                return path
    return None


def _golden(folder: Path, entry: dict[str, Any]) -> NDArray[Any]:
    path = folder / entry["file"]
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"{path}: the vector cannot be read: {error}") from error
    if zlib.crc32(text.encode()) != entry["crc32"]:
        raise LoadError(f"{path}: does not have the CRC of the manifest; export the vectors again")
    form = _format(entry)
    count = int(np.prod(entry["shape"], dtype=np.int64))
    return form.unpack((word or 0 for word in read_hex(path).words), count).reshape(entry["shape"])


def _format(entry: dict[str, Any]) -> WordFormat:
    return WordFormat(bits=entry["bits"], lanes=entry["lanes"], signed=entry["signed"], order=entry["lane_order"])


def _record(folder: Path, layer: dict[str, Any]) -> LayerRecord:
    """The layer as it was exported; enough of it to test hypotheses on."""
    tensors = {
        name: Tensor(values=_golden(folder, entry), bits=entry["bits"], signed=entry["signed"])
        for name, entry in layer["tensors"].items()
        if not entry["stream"]
    }
    node = Node(op=layer["op"], name=layer["name"], inputs=(), outputs=(), attrs=_attrs(layer))
    window = None
    if "kernel_height" in layer["parameters"] and {"x", "w"} <= set(tensors):
        resolved: Any = layer_for(node)
        window = resolved.window(tensors["x"].values.shape, tensors["w"].values.shape)
    return LayerRecord(
        node=node, tensors=tensors, parameters=layer["parameters"], requantizer=layer["requantizer"], window=window
    )


def _attrs(layer: dict[str, Any]) -> dict[str, Any]:
    return {key: _tuples(value) for key, value in layer["attributes"].items()}


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _compare(
    folder: Path,
    layer: dict[str, Any],
    name: str,
    entry: dict[str, Any],
    file: Path,
    record: LayerRecord,
    array: ArrayOrder | None,
    overall: Evidence,
) -> TensorVerdict:
    expected = _golden(folder, entry)
    got, known = _read_dump(file, entry, expected)
    wrong = known & (got != expected)
    bad = wrong | ~known
    first = None
    if bad.any():
        index = int(np.argmax(bad.reshape(-1)))
        where = tuple(int(i) for i in np.unravel_index(index, expected.shape))
        value = int(got[where]) if known[where] else None
        first = (index, where, int(expected[where]), value)
    counted = Counter((got[wrong] - expected[wrong]).tolist()).most_common()
    faults: list[Hypothesis] = []
    explained = ""
    if name in record.tensors:
        faults = list(faults_of(record, name))
        explained = behind(record, name, first[0]) if first is not None else ""
    elif name == "sums" and array is not None:
        faults = list(of_array(record, array))
        if first is not None:
            explained = behind_sum(record, _place(record, array, first[1]))
    own = Evidence()
    own.add(got, known, expected, faults)
    overall.add(got, known, expected, faults)
    return TensorVerdict(
        layer=layer["name"],
        tensor=name,
        file=file.name,
        values=expected.size,
        wrong=int(wrong.sum()),
        unknown=int((~known).sum()),
        bits=entry["bits"],
        first=first,
        behind=explained,
        differences=tuple(counted),
        diagnosis=own.diagnosis() if bad.any() else None,
        bad_tiles=_bad_tiles(bad, entry),
    )


def _array(manifest: dict[str, Any]) -> ArrayOrder | None:
    held = manifest["layout"]["array"]
    return (
        None if held is None else ArrayOrder(**{key: held[key] for key in ("rows", "cols", "dataflow", "bottom_first")})
    )


def _place(record: LayerRecord, array: ArrayOrder, where: tuple[int, ...]) -> tuple[int, ...]:
    """Row, column and tile along K of a sum."""
    product = record.product()
    if product is None:
        return (-1,)
    m, k = product[0].shape
    return tuple(array.coordinates(m, product[1].shape[1], k)[where].tolist())


def _bad_tiles(bad: NDArray[np.bool_], entry: dict[str, Any]) -> tuple[int, ...]:
    crcs = entry.get("tile_crc32")
    if not crcs:
        return ()
    step = -(-len(bad) // len(crcs))
    return tuple(i for i in range(len(crcs)) if bad[i * step : (i + 1) * step].any())


def _read_dump(path: Path, entry: dict[str, Any], expected: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values in the shape of the tensor, and which of them are known."""
    form = _format(entry)
    if path.suffix == ".npy":
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise LoadError(f"{path}: no .npy file of numbers: {error}") from error
        if array.dtype.kind not in "iu" or array.size != expected.size:
            raise LoadError(
                f"{path}: holds {array.size} values of {array.dtype}, expected {expected.size} integers of shape "
                f"{list(expected.shape)}"
            )
        return array.reshape(expected.shape).astype(np.int64), np.ones(expected.shape, bool)
    words = _words(path, form)
    if len(words) != entry["words"]:
        raise LoadError(
            f"{path}: holds {len(words)} words, expected {entry['words']} of {form.digits} hexadecimal digits"
        )
    whole = np.repeat([word is not None for word in words], form.lanes)[: expected.size]
    try:
        values = form.unpack((0 if word is None else word for word in words), expected.size)
    except RangeError as error:
        raise LoadError(f"{path}: {error}; was the memory dumped with another width?") from error
    return values.reshape(expected.shape), whole.reshape(expected.shape)


def _words(path: Path, form: WordFormat) -> list[int | None]:
    if path.suffix != ".bin":
        return list(read_hex(path, form.digits).words)
    size = -(-form.bits * form.lanes // 8)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LoadError(f"{path}: cannot be read: {error}") from error
    if len(data) % size:
        raise LoadError(f"{path}: {len(data)} bytes are no whole number of words of {size} bytes")
    mask = (1 << form.bits * form.lanes) - 1
    return [int.from_bytes(data[i : i + size], "little") & mask for i in range(0, len(data), size)]
