"""The recipes that have names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refq.errors import RangeError
from refq.quantizers.abc_net import ABCWeights
from refq.quantizers.apot import APoT
from refq.quantizers.binary import Binary
from refq.quantizers.binary_code import BinaryCode
from refq.quantizers.granularity import PerChannel, PerGroup, PerTensor
from refq.quantizers.kmeans_levels import KMeansLevels
from refq.quantizers.lq_nets import LQNets
from refq.quantizers.power_of_two import PowerOfTwo
from refq.quantizers.recipe import Recipe
from refq.quantizers.recipe_file import read_recipe
from refq.quantizers.scheme import Scheme
from refq.quantizers.ternary import Ternary
from refq.quantizers.trained_ternary import TrainedTernary
from refq.quantizers.uniform import Uniform
from refq.quantizers.vectors import Vectors
from refq.quantizers.weighted_entropy import WeightedEntropy
from refq.quantizers.wrpn import WRPN

_CODED: Mapping[str, Any] = {
    "pot4": PowerOfTwo(bits=4),
    "apot4": APoT(bits=4),
    "kmeans4": KMeansLevels(bits=4),
    "weighted-entropy4": WeightedEntropy(bits=4),
    "binary-code2": BinaryCode(bits=2),
    "binary-code3": BinaryCode(bits=3),
    "lq-nets2": LQNets(bits=2),
    "lq-nets3": LQNets(bits=3),
    "lq-nets4": LQNets(bits=4),
    "abc-net3": ABCWeights(bits=3),
    "ttq": TrainedTernary(),
}
_TENSORWISE: Mapping[str, Any] = {
    "wrpn4": WRPN(bits=4),
    # Centroids of 4 neighbouring weights: one book a tensor; a book a place; two stages a place.
    "vq": Vectors(width=4, bits=8),
    "pq": Vectors(width=4, bits=3, sharing="position"),
    "residual-pq": Vectors(width=4, bits=3, stages=2, sharing="position", start="best"),
}

RECIPES: Mapping[str, Recipe] = {
    "int8": Recipe(name="int8"),
    "w4a8": Recipe(
        name="w4a8",
        weights=Scheme(grid=Uniform(bits=4, symmetric=True, narrow=True), granularity=PerChannel(0)),
    ),
    "dynamic-int8": Recipe(name="dynamic-int8", is_dynamic=True),
    # Rastegari et al. 2016: weights of one bit; Li et al. 2016: of three levels. In every layer, one scale a filter.
    "w1a8": Recipe(name="w1a8", weights=Scheme(grid=Binary(), granularity=PerChannel(0))),
    "w2a8": Recipe(name="w2a8", weights=Scheme(grid=Ternary(), granularity=PerChannel(0))),
    # Dai et al. 2021: groups of 32 input channels have integer scales beside the real one of the filter.
    "w4g32a8": Recipe(
        name="w4g32a8",
        weights=Scheme(grid=Uniform(bits=4, symmetric=True, narrow=True), granularity=PerGroup(axis=-1, size=32)),
    ),
    # One representation of weights each: codes into tables of integers, one table a filter, or one a tensor.
    **{name: Recipe(name=name, weights=Scheme(grid=grid, granularity=PerChannel(0))) for name, grid in _CODED.items()},
    **{
        name: Recipe(name=name, weights=Scheme(grid=grid, granularity=PerTensor()))
        for name, grid in _TENSORWISE.items()
    },
    # Kim et al. 2021: 8 bits for what matrix products read, wide integers for what functions read. 22 bits into a
    # normalization as published: residual sums have outliers. 16 bits, instead of the accumulator's 32, into softmax
    # and GELU: a step over [-16, 16) is then 5e-4, below the errors of their polynomials.
    "ibert": Recipe(
        name="ibert",
        activations=Scheme(grid=Uniform(symmetric=True)),
        intermediate_bits={"LayerNormalization": 22, "Softmax": 16, "Gelu": 16},
    ),
    "int8-pow2": Recipe(
        name="int8-pow2",
        weights=Scheme(
            grid=Uniform(bits=8, symmetric=True, narrow=True, power_of_two_scale=True), granularity=PerChannel(0)
        ),
        activations=Scheme(grid=Uniform(power_of_two_scale=True)),
    ),
}


def find_recipe(recipe: str | Path | Recipe) -> Recipe:
    """A recipe by name, from a .toml file (`refq.quantizers.recipe_file`), or the value itself.

    The file has `name`, the tables [weights] and [activations], and [intermediate_bits] with one width an op; what is
    left out is as in "int8". In the two tables

        grid          the name of any grid `refq quantizers` lists ("APoT", "Vectors" ...), default "Uniform", which is
                      all that activations take
        bits ...      any parameter of that grid: `bits`, `symmetric`, `narrow`, `power_of_two_scale` ... of Uniform,
                      `width`, `stages`, `sharing` ... of Vectors
        granularity   of weights: "per_tensor", "per_channel", "per_channel_group:SIZE", "per_group:SIZE"
        range         of Uniform: "minmax", "percentile:99.9", "mse", "entropy", "aciq" ...

    Raises
    ------
    RangeError    unknown name; the text lists those there are
    LoadError     a file that cannot be read; an unknown key, a value of the wrong type or outside its range: the text
        names the file, the key and what is legal

    >>> find_recipe("vq").weights.grid.width
    4
    """
    if isinstance(recipe, Recipe):
        return recipe
    if str(recipe) in RECIPES:
        return RECIPES[str(recipe)]
    path = Path(recipe)
    if path.suffix != ".toml":
        raise RangeError(f"recipe={str(recipe)!r} is unknown; recipes are {', '.join(RECIPES)}, or a .toml file")
    return read_recipe(path, RECIPES["int8"])
