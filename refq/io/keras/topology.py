"""Sequential and Functional configurations as layer calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from refq.errors import LoadError


@dataclass(frozen=True, slots=True)
class Ref:
    """A tensor by its history: output `tensor` of call number `node` of a layer."""

    layer: str
    node: int
    tensor: int


@dataclass(frozen=True, slots=True)
class LayerCall:
    """One call of a layer: arguments hold Refs, nested as the caller nested them."""

    layer: str
    node: int
    args: list[Any]
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])


def layer_name(config: dict[str, Any]) -> str:
    """The name of a layer entry; Keras 2 keeps it beside the configuration, too."""
    name = config.get("config", {}).get("name", config.get("name"))
    if not isinstance(name, str):
        raise LoadError(f"a {config.get('class_name')} layer has no name")
    return name


def functional_calls(config: dict[str, Any]) -> list[LayerCall]:
    """Every call of a Functional model, in the order of the file."""
    calls: list[LayerCall] = []
    for entry in config["layers"]:
        for number, node in enumerate(entry.get("inbound_nodes", [])):
            args, kwargs = _arguments(node)
            calls.append(LayerCall(layer_name(entry), number, args, kwargs))
    return calls


def history(entry: Any) -> list[Ref]:
    """`input_layers` or `output_layers` as Refs: one history, a list of them, or a dict."""
    if isinstance(entry, dict):
        return [ref for value in entry.values() for ref in history(value)]
    if len(entry) == 3 and isinstance(entry[0], str):
        return [Ref(entry[0], int(entry[1]), int(entry[2]))]
    return [ref for value in entry for ref in history(value)]


def _arguments(node: Any) -> tuple[list[Any], dict[str, Any]]:
    if isinstance(node, dict):  # Keras 3
        return [_decode(value) for value in node["args"]], {k: _decode(v) for k, v in node.get("kwargs", {}).items()}
    if node and isinstance(node[0], str):  # Keras 2, one tensor without the list around it
        node = [node]
    refs: list[Any] = [_legacy(entry) for entry in node]
    kwargs = {k: _legacy_keyword(v) for entry in node if len(entry) > 3 for k, v in dict(entry[3]).items()}
    return [refs if len(refs) > 1 else refs[0]], kwargs


def _legacy(entry: Any) -> Any:
    if entry[0] == "_CONSTANT_VALUE":
        return entry[2]
    return Ref(entry[0], int(entry[1]), int(entry[2]))


def _legacy_keyword(value: Any) -> Any:
    is_history = isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int)
    return Ref(value[0], int(value[1]), int(value[2])) if is_history else value


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            layer, node, tensor = value["config"]["keras_history"]
            return Ref(layer, int(node), int(tensor))
        if value.get("class_name") == "__tuple__":
            return [_decode(item) for item in value["items"]]
        if value.get("class_name") == "__slice__" or value.get("class_name") == "slice":
            parts = value["config"]
            return slice(parts.get("start"), parts.get("stop"), parts.get("step")) if isinstance(parts, dict) else value
        return {key: _decode(item) for key, item in value.items()}
    return value
