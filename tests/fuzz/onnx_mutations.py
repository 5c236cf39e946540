"""Damage to .onnx files field by field: any field of any message of the protobuf."""

from __future__ import annotations

from random import Random
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor

from tests.fuzz.byte_mutations import mutate_bytes
from tests.fuzz.values import TEXTS, integer, real

_INTEGERS = {FieldDescriptor.TYPE_INT32: 32, FieldDescriptor.TYPE_INT64: 64, FieldDescriptor.TYPE_UINT64: 64}


def mutate_onnx(whole: bytes, rng: Random) -> tuple[bytes, str]:
    """One to three fields changed."""
    model = onnx.load_model_from_string(whole)
    done = [_edit(model, rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    return model.SerializeToString(), ", ".join(done)


def _messages(message: Any) -> list[Any]:
    found = [message]
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if _is_list(field) else [value]:
                found += _messages(item)
    return found


def _is_list(field: Any) -> bool:
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED


def _edit(model: Any, rng: Random) -> str:
    if rng.random() < 0.25:
        return _rename(model, rng)
    message = rng.choice(_messages(model))
    fields = [f for f, _ in message.ListFields()] or list(message.DESCRIPTOR.fields)
    field = rng.choice(fields if rng.random() < 0.9 else list(message.DESCRIPTOR.fields))
    where = f"{message.DESCRIPTOR.name}.{field.name}"
    try:
        return f"{where} {_change(message, field, rng)}"
    except (ValueError, TypeError) as error:  # a value outside the field's range
        return f"{where} unchanged: {error}"


def _change(message: Any, field: Any, rng: Random) -> str:
    value = getattr(message, field.name)
    if not _is_list(field):
        if field.message_type is not None or rng.random() < 0.1:
            message.ClearField(field.name)
            return "cleared"
        new = _other(field, value, rng)
        setattr(message, field.name, new)
        return f"= {ascii(new)[:60]}"
    kind = rng.choice(("set", "set", "drop", "repeat", "clear", "swap"))
    if not len(value):
        if field.message_type is not None:
            value.add()
        else:
            value.append(_other(field, None, rng))
        return "appended"
    at = rng.randrange(len(value))
    if kind == "clear":
        message.ClearField(field.name)
    elif kind == "drop":
        del value[at]
    elif kind == "repeat":
        value.extend([value[at]] * rng.choice((1, 3, 70)))
    elif field.message_type is not None:
        value[at].CopyFrom(value[rng.randrange(len(value))])
    elif kind == "swap":
        value[at] = value[rng.randrange(len(value))]
    else:
        value[at] = _other(field, value[at], rng)
    return f"{kind} {at}"


def _other(field: Any, value: Any, rng: Random) -> Any:
    if field.type in _INTEGERS or field.type == FieldDescriptor.TYPE_ENUM:
        wide = integer(rng) if rng.random() < 0.5 else (value or 0) + rng.choice((-1, 1, 2, 8))
        bits = _INTEGERS.get(field.type, 32)
        if field.type == FieldDescriptor.TYPE_UINT64:
            return wide % 2**64
        return (wide + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return real(rng)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return mutate_bytes(value, rng)[0] if value else b"\xff\x00"
    return rng.choice([text for text in TEXTS if text.isascii() or text.startswith("é")])


def _rename(model: Any, rng: Random) -> str:
    """An input of a node becomes another tensor: later ones make cycles, constants become activations."""
    nodes = [node for node in model.graph.node if node.input]
    if not nodes:
        return "no node"
    node = rng.choice(nodes)
    names = [name for n in model.graph.node for name in (*n.input, *n.output)] + ["", "nothing"]
    at, new = rng.randrange(len(node.input)), rng.choice(names)
    node.input[at] = new
    return f"{node.op_type}.input[{at}] = {new!r}"
