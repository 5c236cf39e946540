"""Names of models in published tables -> topology and its arguments.

A name is a family, then a width and an input size in any order: "MobileNet v1 0.25 128" is width 0.25 at 128x128. Case,
punctuation and words that say how a file was made ("quant", "ptq", ".tflite") do not matter: "MobileNet V2 (224x224)"
and "tf2_mobilenet_v2_1.0_224_ptq_edgetpu.tflite" are one model. What is left over makes a name unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import signature
from typing import Any

_FAMILIES: tuple[tuple[str, str], ...] = (
    (r"mobile ?net( ?v?1)?", "mobilenet_v1"),
    (r"mobile ?net ?v?2", "mobilenet_v2"),
    (r"mobile ?net ?(v?3 ?)?edge ?tpu", "mobilenet_edgetpu"),
    (r"mobile ?net ?v?3( large)? minimalistic", "mobilenet_v3_minimalistic"),
    (r"mnas ?net( ?(b1|1))?", "mnasnet"),
    (r"inception ?v?(?P<n>[1-4])", "inception_v{n}"),
    (r"goog ?le ?net", "inception_v1"),
    (r"inception ?res ?net ?v?2", "inception_resnet_v2"),
    (r"res ?net ?(?P<n>50|101|152)( ?v1)?", "resnet{n}"),
    (r"res ?net ?v1 ?(?P<n>50|101|152)", "resnet{n}"),
    (r"res ?net ?(?P<n>50|101|152) ?v2", "resnet{n}_v2"),
    (r"res ?net ?v2 ?(?P<n>50|101|152)", "resnet{n}_v2"),
    (r"res ?net ?18( ?v1)?", "resnet18"),
    (r"squeeze ?net( ?v?1.0)?", "squeezenet"),
    (r"vgg ?(?P<n>16|19)", "vgg{n}"),
    (r"dense ?net ?(?P<n>121|169|201)", "densenet{n}"),
    (r"dense ?net", "densenet_lite"),
    (r"alex ?net", "alexnet"),
    (r"efficient ?net( ?edge ?tpu)? ?(?P<n>[sml])(mall|edium|arge)?", "efficientnet_edgetpu_{n}"),
    (r"efficient ?net ?lite ?(?P<variant>[0-4])", "efficientnet_lite"),
    (r"quick ?net", "quicknet"),
    (r"quick ?net ?small", "quicknet_small"),
    (r"quick ?net ?large", "quicknet_large"),
    (r"bi ?real ?net( ?18)?", "birealnet18"),
    (r"ad|autoencoder", "autoencoder"),
    (r"ic|res ?net ?8", "resnet8"),
    (r"kws|ds ?cnn", "ds_cnn"),
    (r"vww", "mobilenet_v1_025_96"),
    (r"sww", "wakeword"),
)
_WIDTHS = ("mobilenet_v1", "mobilenet_v2", "mnasnet")
_ORIGIN = frozenset(
    {"quant", "quantized", "int8", "uint8", "8bit", "ptq", "qat", "tflite", "h5", "pb", "onnx", "edgetpu", "compiled"}
    | {"tf", "tf1", "tf2", "tfhub", "hub", "slim", "keras", "imagenet", "ilsvrc2012", "model", "network"}
    | {"cls", "classification", "classifier", "alpha", "width", "depth", "multiplier", "input", "size", "px"}
)
"""Words that say where a file comes from, and what its numbers are."""
_LEAST_SIZE, _MOST_WIDTH = 16, 4.0


def _words(name: str) -> list[str]:
    """Words of a name in lower case without punctuation; "224x224" and "224x224x3" become "224"."""
    text = re.sub(r"[^a-z0-9.]+", " ", name.lower())
    text = re.sub(r"\.(?=tflite|h5|pb|onnx|keras)|\.(?= |$)", " ", text)
    text = re.sub(r"\b(\d+) ?x ?\1( ?x ?[13])?\b", r"\1", text)
    return text.split()


def _number(word: str) -> float | None:
    """A width or a size: "1.0", ".5", "025", "x0.5", "224"; None for a word."""
    match = re.fullmatch(r"(?:x|w|a|dm)?(\d*\.\d+|\d+)", word)
    if match is None:
        return None
    digits = match.group(1)
    return float("0." + digits[1:]) if re.fullmatch(r"0\d+", digits) else float(digits)


def _split(name: str) -> tuple[str, list[float]] | None:
    """(the family as written, the numbers after it); None where something else follows."""
    words = _words(name)
    while words and words[0] in _ORIGIN and words[0] != "edgetpu":
        words.pop(0)
    for end in range(len(words), 0, -1):
        rest = [word for word in words[end:] if word not in _ORIGIN]
        numbers = [_number(word) for word in rest]
        if None in numbers:
            break
        if any(re.fullmatch(pattern, " ".join(words[:end])) for pattern, _ in _FAMILIES):
            return " ".join(words[:end]), [number for number in numbers if number is not None]
    return None


def find(name: str) -> tuple[str, dict[str, Any]] | None:
    """(topology, arguments of its `build`) for a published name; None if it is not one of ours.

    Examples
    --------
    >>> find("Inception-ResNet V2 (299x299)")
    ('inception_resnet_v2', {'input_shape': (299, 299, 3)})
    """
    parts = _split(name)
    if parts is None:
        return None
    family, numbers = parts
    match, topology = next((m, t) for pattern, t in _FAMILIES if (m := re.fullmatch(pattern, family)))
    named = {key: value for key, value in match.groupdict().items() if value is not None}
    arguments: dict[str, Any] = {"variant": int(named["variant"])} if "variant" in named else {}
    for value in numbers:
        if value >= _LEAST_SIZE and value == int(value) and "input_shape" not in arguments:
            arguments["input_shape"] = (int(value), int(value), 3)
        elif value <= _MOST_WIDTH and topology in _WIDTHS and "alpha" not in arguments:
            arguments["alpha"] = value
        elif value != 1.0:
            return None
    return topology.format(**named), arguments


def network(name: str, builders: dict[str, Callable[..., Any]], size: tuple[int, int] | None = None) -> Any:
    """The network of a published name, or None; `size` is a picture's height and width where the name has none."""
    found = find(name)
    if found is None:
        return None
    topology, arguments = found
    usual = signature(builders[topology]).parameters["input_shape"].default
    if size is not None and "input_shape" not in arguments and (usual is None or usual[2:] == (3,)):
        arguments = {**arguments, "input_shape": (*size, 3)}
    return builders[topology](**arguments)
