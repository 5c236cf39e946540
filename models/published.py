"""Names of models in published tables -> topology and its arguments.

"MobileNet v1 1.0 224" is width 1.0 at 224x224; a trailing number is the height and width of the input.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_FAMILIES: tuple[tuple[str, str], ...] = (
    (r"mobilenet ?v1", "mobilenet_v1"),
    (r"mobilenet ?v2", "mobilenet_v2"),
    (r"inception ?v1|googlenet", "inception_v1"),
    (r"inception ?v3", "inception_v3"),
    (r"resnet-?50( v1)?", "resnet50"),
    (r"resnet-?18( v1)?", "resnet18"),
    (r"squeezenet( 1\.0)?", "squeezenet"),
    (r"vgg-?16", "vgg16"),
    (r"densenet-?121", "densenet121"),
    (r"alexnet", "alexnet"),
    (r"efficientnet-edgetpu-s", "efficientnet_edgetpu_s"),
    (r"efficientnet-edgetpu-m", "efficientnet_edgetpu_m"),
    (r"efficientnet-edgetpu-l", "efficientnet_edgetpu_l"),
    (r"efficientnet-lite0", "efficientnet_lite0"),
    (r"quicknet", "quicknet"),
    (r"quicknet-?small", "quicknet_small"),
    (r"quicknet-?large", "quicknet_large"),
    (r"bi-?real-?net(?:-?18)?", "birealnet18"),
    (r"ad|autoencoder", "autoencoder"),
    (r"ic|resnet-?8", "resnet8"),
    (r"kws|ds-?cnn", "ds_cnn"),
    (r"vww", "mobilenet_v1_025_96"),
    (r"sww", "wakeword"),
)
_WIDTHS = ("mobilenet_v1", "mobilenet_v2")


def find(name: str) -> tuple[str, dict[str, Any]] | None:
    """(topology, arguments of its `build`) for a published name; None if it is not one of ours."""
    text = " ".join(name.lower().replace("_", " ").split())
    for pattern, topology in _FAMILIES:
        match = re.fullmatch(rf"(?:{pattern})((?: [\d.]+)*)", text)
        if match is None:
            continue
        arguments: dict[str, Any] = {}
        for number in match.groups()[-1].split():
            value = float(number)
            if value >= 16:
                arguments["input_shape"] = (int(value), int(value), 3)
            elif topology in _WIDTHS:
                arguments["alpha"] = value
            else:
                return None
        return topology, arguments
    return None


def network(name: str, builders: dict[str, Callable[..., Any]]) -> Any:
    """The network of a published name, or None."""
    found = find(name)
    return None if found is None else builders[found[0]](**found[1])
