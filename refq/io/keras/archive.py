"""The containers: where a Keras file keeps the weights of a layer."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from refq.errors import LoadError


@dataclass(frozen=True, slots=True)
class Weight:
    """A variable: its path in the file, its values, and whether the values were never written."""

    name: str
    values: NDArray[Any]
    is_shape_only: bool


class Store(Protocol):
    """The weights of a model or a layer."""

    def layers(self, configs: list[dict[str, Any]]) -> dict[str, Store]:
        """The store of each layer of a model, by layer name."""
        ...

    def variables(self) -> list[Weight]:
        """The variables of a layer, in the order in which Keras lists them."""
        ...


def read_dataset(dataset: Any, where: str) -> Weight:
    """One variable as float32 (integers stay).

    Raises
    ------
    LoadError    stored outside the file, not a dataset of numbers, NaN or infinities, out of proportion to the file
    """
    if not hasattr(dataset, "shape") or dataset.dtype.kind not in "fiub":
        raise LoadError(f"weight {where} is not a dataset of numbers")
    if dataset.external or dataset.is_virtual:
        raise LoadError(f"weight {where} is stored outside the file; nothing but the file itself is read")
    stored = dataset.id.get_storage_size()
    if stored == 0 and dataset.size:
        return Weight(where, np.broadcast_to(np.float32(0), dataset.shape), True)
    if dataset.nbytes > 1024 * max(stored, 1):
        raise LoadError(f"weight {where} claims {dataset.nbytes} bytes and stores {stored}")
    values = dataset[()]
    if values.dtype.kind == "f":
        values = np.asarray(values, np.float32)
        if not np.all(np.isfinite(values)):
            raise LoadError(f"weight {where} holds NaN or infinities; the model cannot be used")
    return Weight(where, np.asarray(values), False)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class H5Store:
    """A group of a .h5 file: every top-level layer lists its variables by path in `weight_names`."""

    def __init__(self, root: Any, group: Any = None, path: tuple[str, ...] = ()) -> None:
        self._root, self._group, self._path = root, group, path

    def layers(self, configs: list[dict[str, Any]]) -> dict[str, Store]:
        found: dict[str, Store] = {}
        for config in configs:
            name = config["config"]["name"] if "name" in config.get("config", {}) else config.get("name", "")
            group: Any = self._group if self._path else self._root.get(name)
            found[name] = H5Store(self._root, group, (*self._path, name))
        return found

    def variables(self) -> list[Weight]:
        if self._group is None:
            return []
        names = [_text(name) for name in self._group.attrs.get("weight_names", ())]
        if len(self._path) > 1:  # inside a nested model, whose group lists all variables of all its layers
            names = [name for name in names if self._path[-1] in name.split("/")[:-1]]
        group: Any = self._group
        missing = [name for name in names if name not in group]
        if missing:
            raise LoadError(f"layer {'/'.join(self._path)!r} lists the weight {missing[0]!r}, which the file lacks")
        return [read_dataset(group[name], f"{'/'.join(self._path)}: {name}") for name in names]


_PARTS = ("cell", "forward_layer", "backward_layer", "layer", "query_dense", "key_dense", "value_dense", "output_dense")


def snake_case(name: str) -> str:
    """Keras' automatic name of a class: Conv2DTranspose -> conv2d_transpose."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


class ArchiveStore:
    """A group of model.weights.h5 in a .keras file: layers are numbered by class, variables by position."""

    def __init__(self, group: Any, path: str = "") -> None:
        self._group, self._path = group, path

    def layers(self, configs: list[dict[str, Any]]) -> dict[str, Store]:
        found: dict[str, Store] = {}
        seen: Counter[str] = Counter()
        container = None if self._group is None else self._group.get("layers")
        for config in configs:
            kind = snake_case(config["class_name"])
            stored = kind if not seen[kind] else f"{kind}_{seen[kind]}"
            seen[kind] += 1
            name = config["config"]["name"] if "name" in config.get("config", {}) else config.get("name", "")
            group = None if container is None else container.get(stored)
            found[name] = ArchiveStore(group, f"{self._path}{name}")
        return found

    def variables(self) -> list[Weight]:
        return [] if self._group is None else self._collect(self._group)

    def _collect(self, group: Any) -> list[Weight]:
        own: Any = group.get("vars")
        names: list[str] = [] if own is None else sorted((name for name in own if name.isdigit()), key=int)
        found = [read_dataset(group["vars"][name], f"{self._path}: {name}") for name in names]
        for part in _PARTS:
            if part in group:
                found += self._collect(group[part])
        return found
