"""TensorProto to arrays: the sizes it claims are checked against the bytes it holds before anything is allocated."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import LoadError, UnsupportedError


def type_name(data_type: int) -> str:
    """NumPy's (or ml_dtypes') name of an ONNX element type; UnsupportedError for strings, LoadError for no type."""
    import onnx

    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(data_type)).name
    except (KeyError, TypeError) as error:
        raise LoadError(f"element type {data_type} is unknown") from error


def _bits(data_type: int) -> int:
    from onnx import TensorProto

    if data_type in (TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1):
        return 4
    if data_type in (TensorProto.INT2, TensorProto.UINT2):
        return 2
    return 8 * np.dtype(type_name(data_type)).itemsize


def array_of(proto: Any, folder: Path | None = None) -> NDArray[Any]:
    """The values of a TensorProto, in the file's own element type.

    Parameters
    ----------
    proto : onnx.TensorProto
    folder : where the model file lies; external data is read from there and from nowhere else

    Raises
    ------
    LoadError           sizes that contradict the data, external data outside the folder
    UnsupportedError    strings, segments
    """
    import onnx

    subject = f"tensor {proto.name!r}"
    if proto.data_type == onnx.TensorProto.STRING:
        raise UnsupportedError(f"{subject} holds strings; only numbers are read")
    if proto.HasField("segment"):
        raise UnsupportedError(f"{subject} is stored in segments; save the model with whole tensors")
    shape = tuple(proto.dims)
    if any(size < 0 for size in shape):
        raise LoadError(f"{subject} has the negative size {shape}")
    bits = _bits(proto.data_type)
    need = -(-prod(shape) * bits // 8)
    if proto.data_location == onnx.TensorProto.EXTERNAL:
        whole = onnx.TensorProto(name=proto.name, dims=shape, data_type=proto.data_type)
        whole.raw_data = _external(proto, folder, need)
        proto = whole
    if proto.HasField("raw_data"):
        if len(proto.raw_data) != need:
            raise LoadError(f"{subject} of shape {shape} needs {need} bytes, the file holds {len(proto.raw_data)}")
    else:
        _check_typed(proto, subject, shape, bits)
    try:
        return onnx.numpy_helper.to_array(proto)
    except (ValueError, TypeError, OverflowError) as error:
        raise LoadError(f"{subject} cannot be read: {str(error).partition(chr(10))[0]}") from error


def _check_typed(proto: Any, subject: str, shape: tuple[int, ...], bits: int) -> None:
    """The count of a repeated field; complex numbers take two entries, types below a byte share one."""
    import onnx

    field = onnx.helper.tensor_dtype_to_field(proto.data_type)
    held, count = len(getattr(proto, field)), prod(shape)
    if type_name(proto.data_type).startswith("complex"):
        count *= 2
    elif bits < 8:
        count = -(-count * bits // 8)
    if held != count:
        raise LoadError(f"{subject} of shape {shape} needs {count} entries of {field}, the file holds {held}")


def _external(proto: Any, folder: Path | None, need: int) -> bytes:
    """Data beside the model file: a plain path below its folder, and no longer than that file."""
    subject = f"tensor {proto.name!r}"
    told = {entry.key: entry.value for entry in proto.external_data}
    location = told.get("location", "")
    if folder is None or not location:
        raise LoadError(f"{subject} lies outside the file, without a location that can be read")
    target = (folder / location).resolve()
    if Path(location).is_absolute() or not target.is_relative_to(folder.resolve()):
        raise LoadError(f"{subject} points to {location!r}, outside the folder of the model; refused")
    if not target.is_file():
        raise LoadError(f"{subject} points to {location!r}, which is no file beside the model")
    try:
        offset, length = int(told.get("offset", 0)), int(told.get("length", need))
    except ValueError:
        raise LoadError(f"{subject}: offset and length of {location!r} are no numbers") from None
    if length != need or offset < 0 or offset + length > target.stat().st_size:
        raise LoadError(
            f"{subject} needs {need} bytes; {location!r} holds {target.stat().st_size}, of which {length} from {offset}"
        )
    with target.open("rb") as file:
        file.seek(offset)
        return file.read(length)
