"""Published model names -> workloads: files the caller gives, or the builders of the project's `models`.

A name such as "conv 3x3/2 64-128 56x56-28x28" is one convolution: window and stride, channels in and out, sizes.
"MLP0 (5 layers, 20000000 weights, 200 uses, batch 200)" is an application known by its counts only.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hwsim.errors import WorkloadError
from hwsim.validate.measurements import plain
from hwsim.workload import Layer, LoopNest, Workload, from_layers, load_workload

_APPLICATION = re.compile(r".+ \((\d+) layers, (\d+) weights, (\d+) uses, batch (\d+)\)")
_CONVOLUTION = re.compile(r"conv (\d+)x(\d+)/(\d+) (\d+)-(\d+) (\d+)x(\d+)-(\d+)x(\d+)")

REAL_BITS = 32


class Workloads:
    """Workloads by published name, each loaded once.

    Parameters
    ----------
    files : published name -> model file, which wins over a builder; case, spaces and punctuation do not matter
    """

    def __init__(self, files: Mapping[str, str | Path] | None = None) -> None:
        self._names = {plain(name): name for name in files or {}}
        self._files = {plain(name): file for name, file in (files or {}).items()}
        self._loaded: dict[tuple[Any, ...], Workload | None] = {}
        self._first: dict[tuple[Layer, ...], str] = {}

    def find(
        self,
        name: str,
        batch: int = 1,
        weights: int = 8,
        activations: int = 8,
        size: tuple[int, int] | None = None,
    ) -> Workload | None:
        """The workload of that name, batch and bit widths; None if there is neither a file nor a builder.

        Parameters
        ----------
        size : height and width of the input where neither the name nor the file states them
        """
        key = (name, batch, weights, activations, size)
        if key not in self._loaded:
            how = (batch, weights, activations)
            file, layer = self._files.get(plain(name)), _CONVOLUTION.fullmatch(name)
            if file is not None:
                self._loaded[key] = _loaded(file, how, size or _published_size(name))
            elif layer is not None:
                self._loaded[key] = _convolution(layer, how)
            elif (counts := _APPLICATION.fullmatch(name)) is not None:
                self._loaded[key] = _application(counts)
            else:
                self._loaded[key] = self._built(name, how, size)
        return self._loaded[key]

    def known_as(self, name: str, *how: Any) -> str:
        """The first name under which this model was asked for, whatever its spelling; arguments of `find`."""
        workload = self.find(name, *how)
        return name if workload is None else self._first.setdefault(workload.layers, name)

    def unused(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names of the given files that none of these published names is."""
        asked = {plain(name) for name in names}
        return tuple(name for key, name in self._names.items() if key not in asked)

    def _built(self, name: str, how: tuple[int, int, int], size: tuple[int, int] | None) -> Workload | None:
        published = _published()
        if published is None:
            return None
        network = published.network(name, import_module("models").builders(), size)
        if network is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.h5"
            network.save(path, shape_only=True)
            return _with_binary(path, how[0], network.binary) if network.binary else _loaded(path, how)


def _published() -> Any:
    """The project's names of published models; None where only the package is installed."""
    return import_module("models.published") if find_spec("models") and find_spec("models.published") else None


def _published_size(name: str) -> tuple[int, int] | None:
    published = _published()
    found = None if published is None else published.find(name)
    shape = None if found is None else found[1].get("input_shape")
    return None if shape is None else (shape[0], shape[1])


def _loaded(file: str | Path, how: tuple[int, int, int], size: tuple[int, int] | None = None) -> Workload:
    batch, weights, activations = how
    sizes = None if size is None else (*size, 3)
    return load_workload(file, batch=batch, weights=weights, activations=activations, open_shape=sizes)


def _with_binary(file: Path, batch: int, binary: set[str]) -> Workload:
    """A network whose named layers have operands of one bit; the others are real.

    Binary kernels apply the batch normalization behind them as they write their outputs.
    """
    net = load_workload(file, batch=batch, weights=REAL_BITS, activations=REAL_BITS)
    kept = [la for la in net.layers if la.op != "BatchNormalization"]
    layers = [replace(la, weight_bits=1, activation_bits=1) if la.name in binary else la for la in kept]
    return replace(net, layers=tuple(layers))


def _convolution(name: re.Match[str], how: tuple[int, int, int]) -> Workload:
    FY, FX, stride, C, K, IY, IX, OY, OX = (int(number) for number in name.groups())
    batch, weights, activations = how
    nest = LoopNest(
        kind="mac",
        N=batch,
        K=K,
        C=C,
        OY=OY,
        OX=OX,
        FY=FY,
        FX=FX,
        stride=(stride, stride),
        inputs=(batch * IY * IX * C,),
        weights=FY * FX * C * K,
        outputs=batch * OY * OX * K,
    )
    layer = Layer(name=name.string, op="Conv2D", nest=nest, weight_bits=weights, activation_bits=activations)
    return from_layers([layer], name.string, batch)


def _application(name: re.Match[str]) -> Workload:
    """Equal square layers with so many weights in all, each used so often: dense ones, or 3x3 convolutions."""
    count, weights, uses, batch = (max(1, int(number)) for number in name.groups())
    side = max(1, round((uses / batch) ** 0.5))
    taps = 3 if side > 1 else 1
    channels = max(1, round((weights / count / taps**2) ** 0.5))
    nest = LoopNest(
        kind="mac",
        N=batch,
        K=channels,
        C=channels,
        OY=side,
        OX=side,
        FY=taps,
        FX=taps,
        inputs=(batch * side**2 * channels,),
        weights=(taps * channels) ** 2,
        outputs=batch * side**2 * channels,
    )
    op = "Conv2D" if taps > 1 else "Dense"
    layers = [Layer(name=f"{op}{i}", op=op, nest=nest, weight_key=f"{op}{i}") for i in range(count)]
    return from_layers(layers, name.string, batch)


def parse_models(given: tuple[str, ...]) -> dict[str, str]:
    """--model NAME=FILE options as a dictionary.

    Raises
    ------
    WorkloadError    an option without "="
    """
    pairs = [text.partition("=") for text in given]
    for name, sign, file in pairs:
        if not (name and sign and file):
            raise WorkloadError(f"--model {name}{sign}{file} is not NAME=FILE; write the published name, '=', the file")
    return {name: file for name, _, file in pairs}
