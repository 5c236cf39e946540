"""From a Keras file to a Graph."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from refq.errors import LoadError, UnsupportedError
from refq.graph import Graph
from refq.io.damage import told
from refq.io.hdf5 import opened
from refq.io.keras.archive import ArchiveStore, H5Store, Store
from refq.io.keras.builder import Builder, Call, Tensor
from refq.io.keras.converters import converter
from refq.io.keras.topology import LayerCall, Ref, functional_calls, history, layer_name

_MODELS = ("Sequential", "Functional", "Model")
_SILENT = ("InputLayer",)
_MALFORMED = "not a whole Keras file"
_LARGEST_MEMBER = 1 << 33


def read_h5(path: Path, input_shape: Sequence[int] | None = None) -> Graph:
    """Read a whole-model .h5 of Keras 2 or 3; errors as in `refq.load`."""
    with told(path, _MALFORMED), opened(path) as file:
        config = file.attrs.get("model_config")
        if config is None:
            if "layer_names" in file.attrs or "layers" in file:
                raise LoadError("holds weights but no model; save the whole model with model.save(...)")
            raise LoadError("an HDF5 file without model_config is no Keras model")
        weights: Any = file.get("model_weights")
        version = _as_text(file.attrs.get("keras_version", "2"))
        store = H5Store({} if weights is None else weights)
        return _graph(json.loads(_as_text(config)), store, version, "keras-h5", input_shape)


def read_keras(path: Path, input_shape: Sequence[int] | None = None) -> Graph:
    """Read a .keras archive of Keras 3; errors as in `refq.load`."""
    with told(path, _MALFORMED), zipfile.ZipFile(path) as archive:
        config = json.loads(_member(archive, "config.json"))
        version = str(json.loads(_member(archive, "metadata.json")).get("keras_version", "3"))
        with opened(_member(archive, "model.weights.h5")) as weights:
            return _graph(config, ArchiveStore(weights), version, "keras-v3", input_shape)


def _as_text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise LoadError(f"the archive has no {name}; it is no Keras 3 model") from None
    blow_up = 100 if name.endswith(".json") else 1000  # text becomes objects of many times its size
    if info.file_size > max(1 << 20, blow_up * info.compress_size) or info.file_size > _LARGEST_MEMBER:
        raise LoadError(f"{name} unpacks from {info.compress_size} to {info.file_size} bytes; refused")
    return archive.read(name)


def _graph(model: dict[str, Any], store: Store, version: str, kind: str, input_shape: Sequence[int] | None) -> Graph:
    unknown = sorted(set(_unsupported(model)))
    if unknown:
        raise UnsupportedError(f"no converter for {', '.join(unknown)}; remove or replace these layers")
    reader = _Reader(int(version.split(".")[0]), input_shape)
    outputs = reader.model(model, store, (), None)
    meta = {"format": kind, "keras_version": version}
    name = model.get("config", {}).get("name") if isinstance(model.get("config"), dict) else None
    return reader.builder.graph(str(name or model["class_name"]), outputs, meta)


def kind_of(entry: dict[str, Any]) -> str:
    """The name a converter is registered under: the class, or for a wrapped TensorFlow function that function."""
    if entry["class_name"] in ("TFOpLambda", "SlicingOpLambda"):
        return f"tf.{entry['config'].get('function', entry['class_name'])}"
    return str(entry["class_name"])


def _layers(model: dict[str, Any]) -> list[dict[str, Any]]:
    config = model["config"]
    return config if isinstance(config, list) else config["layers"]  # Keras 2.0 wrote Sequential as a bare list


def _unsupported(model: dict[str, Any]) -> list[str]:
    if model["class_name"] not in _MODELS:
        return [f"{model['class_name']} (the model itself)"]
    found: list[str] = []
    for entry in _layers(model):
        kind = kind_of(entry)
        if entry["class_name"] in _MODELS:
            found += _unsupported(entry)
        elif kind in _SILENT:
            continue
        elif entry.get("registered_name") not in (None, entry["class_name"]) or converter(kind) is None:
            found.append(f"{entry.get('registered_name') or kind} {layer_name(entry)!r}")
    return found


class _Reader:
    """Walks a configuration, nested models included, and calls converters."""

    def __init__(self, major: int, input_shape: Sequence[int] | None) -> None:
        self.builder = Builder()
        self.major, self.input_shape = major, input_shape

    def model(
        self, model: dict[str, Any], store: Store, prefix: tuple[str, ...], given: list[Tensor] | None
    ) -> list[Tensor]:
        """The outputs of a model; `given` are the inputs of a nested one."""
        stores = store.layers(_layers(model))
        if model["class_name"] == "Sequential":
            return self._sequential(model, stores, prefix, given)
        return self._functional(model["config"], stores, prefix, given)

    def _sequential(
        self, model: dict[str, Any], stores: dict[str, Store], prefix: tuple[str, ...], given: list[Tensor] | None
    ) -> list[Tensor]:
        entries, current = _layers(model), given
        for entry in entries:
            if entry["class_name"] == "InputLayer":
                current = current or [self._input(entry["config"], layer_name(entry))]
                continue
            if current is None:
                config = entry["config"]
                shape = config.get("batch_input_shape") or config.get("batch_shape")
                if shape is None and isinstance(model["config"], dict):
                    shape = model["config"].get("build_input_shape")
                current = [self._input({**config, "batch_shape": shape}, "input")]
            current = self._call(entry, stores[layer_name(entry)], prefix, 0, [_unwrap(current)], {})
        if current is None:
            raise LoadError(f"Sequential {model['config']} has no layers")
        return current

    def _functional(
        self, config: dict[str, Any], stores: dict[str, Store], prefix: tuple[str, ...], given: list[Tensor] | None
    ) -> list[Tensor]:
        entries = {layer_name(entry): entry for entry in config["layers"]}
        values: dict[Ref, Tensor] = {}
        for position, ref in enumerate(history(config["input_layers"])):
            values[ref] = self._input(entries[ref.layer]["config"], ref.layer) if given is None else given[position]
        waiting = _counted(config, entries)
        while waiting:
            later = []
            for call in waiting:
                if any(ref not in values for ref in _refs([call.args, call.kwargs])):
                    later.append(call)
                    continue
                args, kwargs = _resolve(call.args, values), _resolve(call.kwargs, values)
                entry = entries[call.layer]
                if entry["class_name"] == "InputLayer":
                    continue
                outputs = self._call(entry, stores[call.layer], prefix, call.node, args, kwargs)
                values.update({Ref(call.layer, call.node, i): tensor for i, tensor in enumerate(outputs)})
            if len(later) == len(waiting):
                raise LoadError(f"layer {later[0].layer!r} waits for a tensor that no layer produces")
            waiting = later
        return [values[ref] for ref in history(config["output_layers"])]

    def _call(
        self,
        entry: dict[str, Any],
        store: Store,
        prefix: tuple[str, ...],
        node: int,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> list[Tensor]:
        path = (*prefix, layer_name(entry))
        layer = "/".join(path)
        name = layer if node == 0 else f"{layer}:{node}"
        call = Call(
            name=name,
            layer=layer,
            kind=kind_of(entry),
            config=entry["config"],
            args=args,
            kwargs=kwargs,
            weights=[] if entry["class_name"] in _MODELS else store.variables(),
            major=self.major,
        )
        if entry["class_name"] in _MODELS:
            scope = path if node == 0 else (*prefix, f"{path[-1]}:{node}")
            return self.model(entry, store, scope, call.inputs)
        convert = converter(call.kind)
        if convert is None:
            raise UnsupportedError(f"no converter for {call.kind} {layer!r}")
        result = convert(self.builder, call)
        return list(result) if isinstance(result, list | tuple) else [result]

    def _input(self, config: dict[str, Any], name: str) -> Tensor:
        shape = config.get("batch_shape") or config.get("batch_input_shape")
        if shape is None and self.input_shape is None:
            raise LoadError(f"input {name!r} has no shape; give it with input_shape=H,W,C (--input-shape H,W,C)")
        sizes = list(shape[1:]) if shape is not None else [None] * len(self.input_shape or ())
        if self.input_shape is not None and not self.builder.inputs:
            if len(self.input_shape) != len(sizes):
                raise LoadError(f"input_shape={tuple(self.input_shape)} does not fit input {name!r} of shape {sizes}")
            sizes = list(self.input_shape)
        if any(size is None for size in sizes):
            raise LoadError(
                f"input {name!r} leaves sizes open: {sizes}; give them with input_shape=H,W,C (--input-shape H,W,C)"
            )
        known: list[Any] = sizes
        dtype = config.get("dtype", "float32")
        dtype = dtype if isinstance(dtype, str) and dtype.startswith("int") else "float32"
        batch = shape[0] if shape is not None and shape[0] else 1
        return self.builder.input(name, (int(batch), *map(int, known)), dtype)


def _counted(config: dict[str, Any], entries: dict[str, dict[str, Any]]) -> list[LayerCall]:
    """The calls, numbered as the histories number them.

    Keras 2 counts the building of a nested model as its call 0 and leaves it out of the file, so that histories of its
    calls start at 1.
    """
    calls = functional_calls(config)
    asked: dict[str, set[int]] = {}
    for ref in [*_refs([[call.args, call.kwargs] for call in calls]), *history(config["output_layers"])]:
        asked.setdefault(ref.layer, set()).add(ref.node)
    shifted = {name for name, nodes in asked.items() if entries[name]["class_name"] in _MODELS and 0 not in nodes}
    return [replace(call, node=call.node + 1) if call.layer in shifted else call for call in calls]


def _unwrap(tensors: list[Tensor]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _refs(value: Any) -> list[Ref]:
    if isinstance(value, Ref):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [ref for item in items for ref in _refs(item)]


def _resolve(value: Any, values: dict[Ref, Tensor]) -> Any:
    if isinstance(value, Ref):
        return values[value]
    if isinstance(value, list):
        return [_resolve(item, values) for item in value]
    if isinstance(value, dict):
        return {key: _resolve(item, values) for key, item in value.items()}
    return value
