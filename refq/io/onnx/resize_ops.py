"""Resize and Upsample, and elements between channels and places."""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np

from refq.errors import ShapeError, UnsupportedError
from refq.io.damage import made
from refq.io.onnx.builder import Builder, Call, Tensor
from refq.io.onnx.converters import converts

_NEAREST = {
    ("asymmetric", "floor"): (False, False),
    ("half_pixel", "floor"): (True, False),
    ("pytorch_half_pixel", "floor"): (True, False),
    ("align_corners", "round_prefer_ceil"): (False, True),
}


@converts("Resize")
def _resize(b: Builder, call: Call) -> Tensor:
    old = call.opset < 11
    scales = call.constant(1 if old else 2)
    sizes = None if old else call.constant(3)
    if call.attrs.get("axes") is not None or call.attrs.get("antialias", 0):
        raise UnsupportedError("axes and antialias of Resize are not supported")
    mode = call.attrs.get("mode", "nearest")
    coordinates = "asymmetric" if old else call.attrs.get("coordinate_transformation_mode", "half_pixel")
    nearest = "floor" if old else call.attrs.get("nearest_mode", "round_prefer_floor")
    return _resized(b, call, scales, sizes, (mode, coordinates, nearest))


@converts("Upsample")
def _upsample(b: Builder, call: Call) -> Tensor:
    mode = call.attrs.get("mode", "nearest")
    return _resized(b, call, call.constant(1, "scales"), None, (mode, "asymmetric", "floor"))


def _resized(b: Builder, call: Call, scales: Any, sizes: Any, how: tuple[str, str, str]) -> Tensor:
    x, (mode, coordinates, nearest) = call.x, how
    if x.rank != 4:
        raise UnsupportedError(f"input shape {x.shape}; two spatial axes are supported")
    given = sizes if sizes is not None and sizes.size else scales
    if given is None or given.size != 4:
        raise ShapeError("Resize needs scales or sizes, one an axis")
    if sizes is not None and sizes.size:
        out = tuple(int(size) for size in sizes)
    else:
        out = tuple(floor(size * float(scale)) for size, scale in zip(x.shape, np.reshape(scales, -1), strict=True))
        whole = all(float(scale) * size == want for size, scale, want in zip(x.shape, scales, out, strict=True))
        if not whole:
            raise UnsupportedError(f"scales {scales.tolist()} give no whole sizes of {x.shape}; give sizes")
    if out[:2] != x.shape[:2] or min(out) < 1:
        raise UnsupportedError(f"a resize from {x.shape} to {out}: only height and width can change")
    held, size = b.channels_last(x), (out[2], out[3])
    if mode == "linear":
        flags = {"half_pixel": (True, False), "asymmetric": (False, False), "align_corners": (False, True)}
        flags["pytorch_half_pixel"] = (True, False)
        if coordinates not in flags or (coordinates == "pytorch_half_pixel" and 1 in size):
            raise UnsupportedError(f"linear resize with {coordinates!r}; supported are {', '.join(flags)}")
        half, corners = flags[coordinates]
        return b.emit("ResizeBilinear", call, [held], size=size, half_pixel_centers=half, align_corners=corners)
    if mode != "nearest":
        raise UnsupportedError(f"mode={mode!r}: nearest and linear are supported")
    key = (coordinates, nearest)
    if all(want % before == 0 for want, before in zip(size, x.shape[2:], strict=True)):
        repeats = {("asymmetric", "floor"), *((c, n) for c in ("half_pixel", "pytorch_half_pixel") for n in _ROUNDINGS)}
        if key in repeats and (nearest in ("floor",) or _is_plain(size, x.shape[2:], nearest)):
            return b.emit("ResizeNearest", call, [held], size=size)
    if key not in _NEAREST:
        raise UnsupportedError(f"nearest resize from {x.shape[2:]} to {size} with {coordinates!r}, {nearest!r}")
    half, corners = _NEAREST[key]
    return b.emit("ResizeNearest", call, [held], size=size, half_pixel_centers=half, align_corners=corners)


_ROUNDINGS = ("floor", "round_prefer_floor", "round_prefer_ceil")


def _is_plain(size: tuple[int, int], before: tuple[int, ...], nearest: str) -> bool:
    """Whether half-pixel centers, rounded, repeat every pixel, as floor without them does."""
    for after, own in zip(size, before, strict=True):
        places = (np.arange(*made(after)) + 0.5) * own / after - 0.5
        found = np.ceil(places - 0.5) if nearest == "round_prefer_floor" else np.floor(places + 0.5)
        if not np.array_equal(np.clip(found, 0, own - 1), np.arange(after) * own // after):
            return False
    return True


@converts("DepthToSpace", "SpaceToDepth")
def _between(b: Builder, call: Call) -> Tensor:
    x, block = b.file_order(call.x), int(call.attrs["blocksize"])
    if x.rank != 4 or block < 1:
        raise ShapeError(f"input shape {x.shape} with blocksize={block}; (N, C, H, W) and at least 1 are needed")
    (_, c, h, w), out = x.shape, call.outputs[0]
    if call.op == "DepthToSpace":
        if c % (block * block):
            raise ShapeError(f"{c} channels do not divide into blocks of {block} x {block}")
        deep = c // (block * block)
        is_first = call.attrs.get("mode", "DCR") == "DCR"
        split = (0, block, block, deep, h, w) if is_first else (0, deep, block, block, h, w)
        perm = (0, 3, 4, 1, 5, 2) if is_first else (0, 1, 4, 2, 5, 3)
        shape = (0, deep, h * block, w * block)
    else:
        if h % block or w % block:
            raise ShapeError(f"{h} x {w} places do not divide into blocks of {block} x {block}")
        split = (0, c, h // block, block, w // block, block)
        perm = (0, 3, 5, 1, 2, 4) if call.attrs.get("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
        shape = (0, c * block * block, h // block, w // block)
    parts = b.step("Reshape", b.unique(f"{out}/parts"), [x], shape=split)
    turned = b.step("Transpose", b.unique(f"{out}/turned"), [parts], perm=perm)
    return b.emit("Reshape", call, [turned], shape=shape)
