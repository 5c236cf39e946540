"""Writing the vectors of a run: hexadecimal memories, parameter headers, one manifest, and the same data as .npz."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import refq
from refq.errors import GraphError, RangeError, RefqError
from refq.graph import Graph
from refq.numerics import Arithmetic, find_arithmetic
from refq.verify.corners import corner_cases
from refq.verify.golden import Golden
from refq.verify.headers import identifier, systemverilog, values, verilog
from refq.verify.layout import Layout
from refq.verify.records import LayerRecord

FORMAT = 1
MANIFEST = "manifest.json"


class OccupiedError(RefqError, FileExistsError):
    """The folder to write already holds something."""


def export_vectors(
    graph: Graph,
    x: Any,
    folder: str | Path,
    arithmetic: str | Arithmetic = "litert",
    *,
    layout: Layout | None = None,
    layers: tuple[str, ...] | None = None,
    corners: bool = False,
    seed: int | None = None,
    force: bool = False,
) -> Path:
    """Write what hardware is checked against, layer by layer.

    A layer has a folder `NN_name`: one .hex a tensor (named as in `refq.verify.golden.LayerRecord`), the streams
    of the array where one is given, `parameters.vh` and `parameters.svh`. Beside them stand `manifest.json` and
    `vectors.npz`. Files are the same to the byte for the same graph, input, arithmetic, layout and version.

    Parameters
    ----------
    graph : quantized Graph
    x : input as for `refq.run`, real or codes
    folder : to make, or to fill if it is empty
    arithmetic : profile
    layout : packing and array; one value a word and no array by default
    layers : names of nodes, all by default
    corners : also write the layers of `corner_cases`, which reach what real data miss
    seed : what made `x`, only noted in the manifest
    force : replace vectors that are there already; anything else in the way is never touched

    Returns
    -------
    Path of the manifest

    Raises
    ------
    OccupiedError             the folder holds files (without `force`, even vectors)
    GraphError, ShapeError    as `refq.trace`; an unknown layer
    """
    layout = Layout() if layout is None else layout
    golden = Golden(graph, arithmetic)
    records: Iterable[LayerRecord] = golden.records(x, layers)
    if corners:
        records = chain(records, corner_records(golden.profile, layout))
    return _write(Path(folder), records, golden.profile, layout, graph=graph.name, seed=seed, force=force)


def export_corners(
    folder: str | Path,
    arithmetic: str | Arithmetic = "litert",
    *,
    layout: Layout | None = None,
    force: bool = False,
) -> Path:
    """Write the corner layers alone: what a datapath is checked with before any model; see `export_vectors`."""
    layout, profile = Layout() if layout is None else layout, find_arithmetic(arithmetic)
    records = corner_records(profile, layout)
    return _write(Path(folder), records, profile, layout, graph="corners", seed=None, force=force)


def random_codes(graph: Graph, samples: int = 1, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Codes for every input of a graph, spread over its whole grid; the same for the same seed.

    Raises
    ------
    RangeError    samples < 1
    GraphError    an input without a grid
    """
    if samples < 1:
        raise RangeError(f"samples={samples} must be at least 1")
    generator = np.random.default_rng(seed)
    codes: dict[str, NDArray[Any]] = {}
    for name in graph.inputs:
        spec = graph.tensors[name]
        if spec.qparams is None:
            raise GraphError(
                f"input {name!r} of {graph.name!r} has no grid to draw codes from; quantize it, or give data"
            )
        low, high = spec.qparams.qmin, spec.qparams.qmax
        shape = (samples, *spec.shape[1:])
        codes[name] = generator.integers(low, high, shape, endpoint=True).astype(spec.qparams.dtype)
    return codes


def corner_records(arithmetic: Arithmetic, layout: Layout) -> Iterator[LayerRecord]:
    """The corner layers as an array of the layout's size sees them (4 x 4 where it has none)."""
    array = layout.array
    shifts = arithmetic.requantizer("Conv2D").name == "pow2"
    size = (4, 4) if array is None else (array.rows, array.cols)
    for case in corner_cases(*size, power_of_two_scales=shifts):
        yield from Golden(case.graph, arithmetic).records(case.x)


def _write(
    target: Path,
    records: Iterable[LayerRecord],
    profile: Arithmetic,
    layout: Layout,
    *,
    graph: str,
    seed: int | None,
    force: bool,
) -> Path:
    """All files, made beside the target and moved there at once."""
    _check_free(target, force)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        entries: list[dict[str, Any]] = []
        arrays: dict[str, Any] = {}
        for number, record in enumerate(records):
            name = f"{number:02d}_{identifier(record.node.name)}"
            entries.append(_write_layer(scratch / name, record, layout, arrays))
        manifest = {
            "format": FORMAT,
            "version": refq.__version__,
            "graph": graph,
            "arithmetic": profile.name,
            "seed": seed,
            "layout": _layout_as_json(layout),
            "layers": entries,
        }
        (scratch / MANIFEST).write_text(json.dumps(manifest, indent=1, default=_plain) + "\n")
        _write_npz(scratch / "vectors.npz", arrays)
        scratch.chmod(0o755)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
            os.replace(target, old / "old")
            os.replace(scratch, target)
            shutil.rmtree(old)
        else:
            os.replace(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target / MANIFEST


def _check_free(target: Path, force: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise OccupiedError(f"{target} is a file; give a folder for the vectors")
    held = [entry.name for entry in target.iterdir()]
    if held and MANIFEST not in held:
        raise OccupiedError(
            f"{target} holds {sorted(held)[0]!r} and no {MANIFEST}: these are no vectors; choose another folder"
        )
    if held and not force:
        raise OccupiedError(f"{target} holds vectors already; --force (force=True) replaces them")
    if held and (strange := _strange(target)) is not None:
        raise OccupiedError(f"{target} holds {strange!r}, which is not of its vectors; move it away, or choose another")


def _strange(target: Path) -> str | None:
    """A file that no export wrote and no bench left behind; None where there is none."""
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        folders = {
            layer["folder"]: {entry["file"] for entry in layer["tensors"].values()} for layer in manifest["layers"]
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return MANIFEST
    written = {MANIFEST, "vectors.npz"}
    for name, files in folders.items():
        written |= files | {f"{name}/parameters.vh", f"{name}/parameters.svh"}
    for path in sorted(target.rglob("*")):
        name = path.relative_to(target).as_posix()
        left_by_bench = path.name.startswith("dut_") or path.suffix in (".vvp", ".vcd", ".fst")
        if not (path.is_dir() and name in folders) and name not in written and not left_by_bench:
            return name
    return None


def _write_layer(folder: Path, record: LayerRecord, layout: Layout, arrays: dict[str, Any]) -> dict[str, Any]:
    folder.mkdir()
    memories = layout.memories(record)
    tensors: dict[str, Any] = {}
    for name, (integers, form) in memories.items():
        text = form.text(integers)
        (folder / f"{name}.hex").write_text(text)
        arrays[f"{folder.name}/{name}"] = np.asarray(integers)
        tensors[name] = {
            "file": f"{folder.name}/{name}.hex",
            "shape": list(np.shape(integers)),
            "bits": form.bits,
            "signed": form.signed,
            "lanes": form.lanes,
            "lane_order": form.order,
            "stream": name not in record.tensors,
            "words": len(text) // (form.digits + 1),
            "crc32": zlib.crc32(text.encode()),
        }
    if "sums" in tensors and layout.array is not None:
        tensors["sums"]["tile_crc32"] = _tile_crcs((folder / "sums.hex").read_text(), record, layout)
    constants = values(record, {name: form for name, (_, form) in memories.items()})
    (folder / "parameters.vh").write_text(verilog(record.node.name, constants))
    (folder / "parameters.svh").write_text(systemverilog(folder.name, constants))
    return {
        "name": record.node.name,
        "op": record.node.op,
        "folder": folder.name,
        "attributes": dict(record.node.attrs),
        "requantizer": record.requantizer,
        "parameters": record.parameters,
        "tensors": tensors,
    }


def _tile_crcs(text: str, record: LayerRecord, layout: Layout) -> list[int]:
    """One CRC a tile of sums: `rows` words (os) or all rows of A (ws)."""
    product = record.product()
    if product is None or layout.array is None:
        return []
    step = layout.array.rows if layout.array.dataflow == "os" else len(product[0])
    lines = text.splitlines(keepends=True)
    return [zlib.crc32("".join(lines[i : i + step]).encode()) for i in range(0, len(lines), step)]


def _plain(value: Any) -> Any:
    """NumPy values among attributes as JSON has them."""
    return np.asarray(value).tolist()


def _layout_as_json(layout: Layout) -> dict[str, Any]:
    array = layout.array
    order = None
    if array is not None:
        order = {
            "rows": array.rows,
            "cols": array.cols,
            "dataflow": array.dataflow,
            "bottom_first": array.bottom_first,
            "tile_order": "tile_n fastest" if array.dataflow == "os" else "tile_k fastest, then tile_n",
        }
    return {"lanes": layout.lanes, "lane_order": layout.order, "array": order}


def _write_npz(path: Path, arrays: dict[str, Any]) -> None:
    """A .npz without times in it, so that equal data give equal bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
