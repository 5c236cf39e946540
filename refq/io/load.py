"""Load a model file: the reader is chosen by suffix, and for .h5 by what the file says it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from refq.errors import LoadError
from refq.graph import Graph
from refq.io.consistency import check
from refq.io.damage import told


def load(path: str | Path, *, input_shape: Sequence[int] | None = None) -> Graph:
    """Read a model file into a Graph.

    Parameters
    ----------
    path : .h5 or .hdf5 (Keras 2 and 3, or written by `refq.save`), .keras, .onnx or .tflite
    input_shape : sizes without the batch, in the file's order, for a model with one input; needed where the file leaves
        them open

    Returns
    -------
    Graph

    Raises
    ------
    LoadError           missing, truncated or of another kind; weights only; values that are not finite
    GraphError          nodes, operands and attributes that contradict each other
    UnsupportedError    layers without a converter, all named; Lambda and custom layers are named, never run
    ShapeError          sizes that do not fit together
    """
    path = Path(path)
    graph = _read(path, input_shape)
    with told(path, "contradicts itself"):
        check(graph)
    return graph


def _read(path: Path, input_shape: Sequence[int] | None) -> Graph:
    if path.is_dir():
        raise LoadError(f"{path}: is a directory; give a .h5, .keras, .onnx or .tflite file")
    if not path.exists():
        raise LoadError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        from refq.io.onnx import read_onnx

        return read_onnx(path, input_shape)
    if suffix == ".tflite":
        from refq.io.tflite import read_tflite

        return read_tflite(path)
    if suffix == ".keras":
        from refq.io.keras import read_keras

        return read_keras(path, input_shape)
    if suffix not in (".h5", ".hdf5"):
        raise LoadError(f"{path}: suffix {suffix!r} is not .h5, .hdf5, .keras, .onnx or .tflite")
    from refq.io.hdf5 import opened

    with told(path, "damaged HDF5 file"), opened(path) as file:
        is_native = "refq_format" in file.attrs
    if is_native:
        from refq.io.native import read

        return read(path)
    from refq.io.keras import read_h5

    return read_h5(path, input_shape)
