"""Random grids and codes for one-operator models that LiteRT and refq both run: every output element equal."""

import numpy as np

from tests.peers.agreement import agree
from tests.peers.litert import Tensor, single

SMALLEST = {"int8": 1e-3, "uint8": 1e-3, "int16": 1e-5}


def scales(rng, dtype, count, trial):
    """Scales over two decades; in every third trial powers of two, in every fifth all equal."""
    found = SMALLEST[dtype] * 10 ** rng.uniform(0, 2, count)
    if trial % 3 == 0:
        found = 2.0 ** np.round(np.log2(found))
    return np.full(count, found[0]) if trial % 5 == 0 else found


def zero_points(rng, dtype, count, trial):
    """Anywhere in the codes, at their ends in every fourth trial; 0 for int16, where LiteRT asks for it."""
    info = np.iinfo(dtype)
    if dtype == "int16":
        return [0] * count
    ends = rng.choice([info.min, info.max], count)
    return [int(z) for z in (ends if trial % 4 == 0 else rng.integers(info.min, info.max + 1, count))]


def grid_tensor(name, shape, dtype, scale, zero_point):
    return Tensor(name, shape, dtype, scale=float(np.float32(scale)), zero_point=zero_point)


def integers(name, values):
    values = np.asarray(values, np.int32)
    return Tensor(name, values.shape, "int32", data=values)


def codes(rng, tensor):
    """Random codes of a tensor with the ends of the type, the zero point and its neighbours among them."""
    if tensor.dtype == "bool":
        return rng.integers(0, 2, tensor.shape).astype(bool)
    if tensor.dtype == "float32":
        return rng.normal(size=tensor.shape).astype(np.float32)
    info = np.iinfo(tensor.dtype)
    if tensor.scale is None:
        return rng.integers(-50, 50, tensor.shape).astype(tensor.dtype)
    found = rng.integers(info.min, info.max + 1, tensor.shape)
    near = rng.integers(-40, 41, tensor.shape) + tensor.zero_point
    special = rng.choice(
        [info.min, info.max, tensor.zero_point, tensor.zero_point + 1, tensor.zero_point - 1], found.shape
    )
    kind = rng.integers(0, 4, tensor.shape)
    return np.asarray(
        np.clip(np.select([kind == 0, kind == 1], [special, near], found), info.min, info.max), tensor.dtype
    )


def compare(tmp_path, code, inputs, outputs, values, options=None, **others):
    """Run one operator here and there on the model's own input types."""
    return agree(tmp_path, single(code, inputs, outputs, options or {}, **others), values)
