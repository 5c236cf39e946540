"""refq's own .h5 file: a graph as it is, nothing lost.

root attributes    refq_format = 1
/graph             JSON text: nodes, tensors with their grids, inputs, outputs, and which dataset holds which constant
/constants/*       one dataset a constant; a group of packed codes and tables for weights with a codebook
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from refq.errors import LoadError
from refq.graph import Graph, Node, QParams, TensorSpec
from refq.io.coded import read_codebook, write_codebook
from refq.io.damage import told
from refq.io.hdf5 import opened, read_bytes

FORMAT = 2
_BLOW_UP = 64
"""A dataset may unpack to this many times the file's size, no more: a small file must not fill the memory."""


def save(graph: Graph, path: str | Path) -> None:
    """Write a graph, quantized or not, to an .h5 file; `refq.load` gives the equal graph.

    Parameters
    ----------
    graph : Graph
    path : file name ending in .h5

    Raises
    ------
    LoadError    the name does not end in .h5, or the folder does not exist

    Notes
    -----
    Written to a temporary file beside the target and renamed, so an interrupted run leaves the old file whole.
    Constants keep their type: real weights stay real, and their codes follow from the grids stored with them.
    """
    import h5py

    path = Path(path)
    if path.suffix != ".h5":
        raise LoadError(f"{path}: refq writes .h5 files; give a name that ends in .h5")
    if not path.parent.is_dir():
        raise LoadError(f"{path}: folder {path.parent} does not exist")
    places = {name: f"{i:04d}.{name.replace('/', '.')}" for i, name in enumerate(graph.constants)}
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    try:
        with h5py.File(temporary, "w") as file:
            file.attrs["refq_format"] = FORMAT
            file["graph"] = np.frombuffer(json.dumps(_as_json(graph, places)).encode(), np.uint8)
            group = file.create_group("constants")
            for name, place in places.items():
                array, book = graph.constants[name], graph.tensors[name].codebook
                if book is not None and name not in graph.shape_only:
                    write_codebook(group.create_group(place), book)
                elif name in graph.shape_only:
                    group.create_dataset(place, shape=array.shape, dtype=array.dtype)
                else:
                    group.create_dataset(place, data=array)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read(path: str | Path) -> Graph:
    """Read a file written by `save`.

    Raises
    ------
    LoadError    another format version, or content that contradicts itself
    """
    path = Path(path)
    with told(path, "not a whole refq file; write it again with refq.save"), opened(path) as file:
        version = file.attrs.get("refq_format")
        if version != FORMAT:
            raise LoadError(f"refq file format {version}, this version reads format {FORMAT}")
        text = json.loads(read_bytes(file["graph"], path))
        return _from_json(text, file["constants"], limit=_BLOW_UP * _size(path))


def _as_json(graph: Graph, places: dict[str, str]) -> dict[str, Any]:
    return {
        "name": graph.name,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "meta": dict(graph.meta),
        "shape_only": sorted(graph.shape_only),
        "constants": places,
        "nodes": [
            {
                "op": node.op,
                "name": node.name,
                "inputs": node.inputs,
                "outputs": node.outputs,
                "attrs": dict(node.attrs),
                "clamp": None if node.clamp is None else [None if abs(v) == inf else v for v in node.clamp],
            }
            for node in graph.nodes
        ],
        "tensors": [
            {
                "name": spec.name,
                "shape": spec.shape,
                "dtype": spec.dtype,
                "qparams": None if spec.qparams is None else _grid_as_json(spec.qparams),
            }
            for spec in graph.tensors.values()
        ],
    }


def _grid_as_json(grid: QParams) -> dict[str, Any]:
    # A float32 written as the decimal of its float64 value comes back as the same float32.
    return {
        "scale": grid.scale.astype(np.float64).tolist(),
        "zero_point": grid.zero_point.tolist(),
        "axis": grid.axis,
        "bits": grid.bits,
        "signed": grid.signed,
        "narrow": grid.narrow,
    }


def _size(path: Path) -> int:
    return max(path.stat().st_size, 1 << 20)


def _from_json(text: dict[str, Any], group: Any, limit: int) -> Graph:
    shape_only = frozenset(text["shape_only"])
    tensors = [
        TensorSpec(
            name=spec["name"],
            shape=tuple(spec["shape"]),
            dtype=spec["dtype"],
            qparams=None if spec["qparams"] is None else QParams(**spec["qparams"]),
        )
        for spec in text["tensors"]
    ]
    specs = {spec.name: spec for spec in tensors}
    constants: dict[str, Any] = {}
    for name, place in text["constants"].items():
        data = group[place]
        if isinstance(specs[name].dtype, str) and hasattr(data, "keys"):
            book = read_codebook(data, limit)
            if specs[name].dtype not in ("int8", "int16", "int32") or name in shape_only:
                raise LoadError(f"constant {name!r} is coded, and the graph says {specs[name]}")
            specs[name] = replace(specs[name], codebook=book)
            constants[name] = book.decode().astype(specs[name].dtype)
            continue
        if data.file != group.file or data.external:
            raise LoadError(f"constant {name!r} is stored outside the file; refq reads nothing but the file itself")
        if tuple(data.shape) != specs[name].shape:
            raise LoadError(f"constant {name!r} has shape {data.shape}, the graph says {specs[name].shape}")
        if name not in shape_only and data.nbytes > limit:
            raise LoadError(f"constant {name!r} claims {data.nbytes} bytes, out of proportion to the file")
        constants[name] = np.broadcast_to(data.dtype.type(0), data.shape) if name in shape_only else data[()]
    nodes = [
        Node(
            op=node["op"],
            name=node["name"],
            inputs=tuple(node["inputs"]),
            outputs=tuple(node["outputs"]),
            attrs=node["attrs"],
            clamp=None if node["clamp"] is None else _clamp(*node["clamp"]),
        )
        for node in text["nodes"]
    ]
    return Graph(
        name=text["name"],
        nodes=tuple(nodes),
        tensors=specs,
        constants=constants,
        inputs=tuple(text["inputs"]),
        outputs=tuple(text["outputs"]),
        meta=text["meta"],
        shape_only=shape_only,
    )


def _clamp(low: float | None, high: float | None) -> tuple[float, float]:
    return (-inf if low is None else low, inf if high is None else high)
