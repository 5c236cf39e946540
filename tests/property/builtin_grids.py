"""Every grid of refq.quantizers, found by looking, in every form its fields allow."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from itertools import product
from pkgutil import iter_modules
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np

import refq.quantizers
import refq.quantizers.ranges
from refq.errors import RangeError
from refq.quantizers import Scheme, Uniform
from refq.quantizers.ranges import Aciq, MeanSquaredError, MinMax, MovingAverage, Pact, Percentile
from refq.quantizers.vectors import Vectors
from refq.testing import RangeObserver

REQUIRED = {"levels": (-1.5, -0.25, 0.0, 1.0, 1.75)}
"""Values of fields without a default."""
SPECIAL = {"term_bits": (1, 2, 3), "threshold": (None, 0.7), "shifts": None, "order": (1, 2, 3), "thresholds": (None,)}
"""Values of fields whose type does not list them."""


def grid_classes():
    """Dataclasses with a method that fits levels to data, and Uniform."""
    found = [Uniform]
    for module in iter_modules(refq.quantizers.__path__, "refq.quantizers."):
        for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
            if is_dataclass(kind) and kind.__module__ == module.name and "fit" in vars(kind) and kind is not Scheme:
                found.append(kind)
    return sorted(set(found), key=lambda kind: kind.__name__)


def range_classes():
    """Every way to choose an interval."""
    found = []
    for module in iter_modules(refq.quantizers.ranges.__path__, "refq.quantizers.ranges."):
        for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
            if is_dataclass(kind) and kind.__module__ == module.name and hasattr(kind, "limits"):
                found.append(kind)
    return found


def forms(kind):
    """Every legal value of a grid class: all bits, both values of flags, every option."""
    hints = get_type_hints(kind)
    choices = {}
    for field in fields(kind):
        hint, required = hints[field.name], field.default is MISSING and field.default_factory is MISSING
        if required and field.name in REQUIRED:
            choices[field.name] = [REQUIRED[field.name]]
        elif field.name == "bits":
            choices[field.name] = list(range(1, 17))
        elif hint is bool:
            choices[field.name] = [False, True]
        elif get_origin(hint) is Literal:
            choices[field.name] = list(get_args(hint))
        elif SPECIAL.get(field.name):
            choices[field.name] = list(SPECIAL[field.name])
    for values in product(*choices.values()):
        try:
            yield kind(**dict(zip(choices, values, strict=True)))
        except RangeError:
            continue


def data(shape=(64,), one_sided=False):
    """Bell-shaped numbers with a few far ones; never negative where asked."""
    x = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    x.reshape(-1)[:: x.size // 2] *= 4
    return np.abs(x) if one_sided else x


def fitted(grid, shape=(64,), granularity=None):
    """The grid's own value for data it is meant for."""
    x = data(shape, not getattr(grid, "signed", True))
    if isinstance(grid, Vectors):
        return grid.fit(x)
    return Scheme(grid=grid, **({} if granularity is None else {"granularity": granularity})).fit(x)


WITHIN = (Aciq, MinMax, MovingAverage, Pact, Percentile, MeanSquaredError)
"""Ranges that reach no farther than the data; others start from its moments."""


def range_observer(chosen, grid):
    """A way to choose the interval, as the laws see it; `chosen` holds no learned value, so that data decides."""

    def interval(seen):
        low, high = chosen.limits(seen, grid)
        return low[0], high[0]

    kind = type(chosen)
    return RangeObserver(
        name=kind.__name__,
        observe=lambda seen, x: chosen.observe(seen, x[None]),
        interval=interval,
        merge=getattr(chosen, "merge", None),
        covers=kind is MinMax and not grid.symmetric,
        within=kind in WITHIN and not grid.symmetric,
        scales=True,
        ordered=kind is MovingAverage,
    )
