"""Recipe: which scheme quantizes which kind of tensor in a whole model."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from refq.errors import LoadError, RangeError
from refq.quantizers.apot import APoT
from refq.quantizers.binary import Binary
from refq.quantizers.binary_code import BinaryCode
from refq.quantizers.granularity import PerChannel, PerTensor
from refq.quantizers.kmeans_levels import KMeansLevels
from refq.quantizers.lq_nets import LQNets
from refq.quantizers.power_of_two import PowerOfTwo
from refq.quantizers.ranges import find_range
from refq.quantizers.scheme import Scheme
from refq.quantizers.ternary import Ternary
from refq.quantizers.trained_ternary import TrainedTernary
from refq.quantizers.uniform import Uniform

_WEIGHTS = Scheme(grid=Uniform(bits=8, symmetric=True, narrow=True), granularity=PerChannel(0))
_KEYS = {"bits": int, "symmetric": bool, "narrow": bool, "power_of_two_scale": bool, "granularity": str, "range": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Schemes of a model.

    Parameters
    ----------
    name : str
    weights : Scheme        a per-channel granularity takes each layer's own output-channel axis; Binary and Ternary are
        for weights of multiply-accumulate layers, other weights take 8 bits beside them
    activations : Scheme    always per tensor and Uniform
    bias_bits : int         at scale input * weight, zero point 0; beside activations of more than 8 bits it is 64
    is_dynamic : bool       grids of activations are found at run time (`transforms.dynamic_quantize`); weights have
        8 bits, one scale a tensor or an output channel
    intermediate_bits : mapping from op to bits of the activations only it reads; they have symmetric grids. Sums,
        moves and products with a constant on the way there are as wide. Ops left out read activations as `activations`
        says
    """

    name: str
    weights: Scheme = _WEIGHTS
    activations: Scheme = Scheme()
    bias_bits: int = 32
    is_dynamic: bool = False
    intermediate_bits: Mapping[str, int] = field(default_factory=dict[str, int], hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.activations.grid, Uniform):
            raise RangeError(f"activations on {self.activations.grid} have no integer path; use Uniform")
        for op, bits in self.intermediate_bits.items():
            if not 2 <= bits <= 32:
                raise RangeError(f"intermediate_bits of {op}={bits} is outside 2..32")

    @property
    def activation_grid(self) -> Uniform:
        """The grid of the activations."""
        return cast(Uniform, self.activations.grid)

    @property
    def other_weights(self) -> Scheme:
        """The scheme of weights outside multiply-accumulate layers."""
        return self.weights if isinstance(self.weights.grid, Uniform) else _WEIGHTS


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
    # One representation of weights each: codes into tables of integers, one table a filter.
    "pot4": Recipe(name="pot4", weights=Scheme(grid=PowerOfTwo(bits=4), granularity=PerChannel(0))),
    "apot4": Recipe(name="apot4", weights=Scheme(grid=APoT(bits=4), granularity=PerChannel(0))),
    "kmeans4": Recipe(name="kmeans4", weights=Scheme(grid=KMeansLevels(bits=4), granularity=PerChannel(0))),
    "binary-code2": Recipe(name="binary-code2", weights=Scheme(grid=BinaryCode(bits=2), granularity=PerChannel(0))),
    "binary-code3": Recipe(name="binary-code3", weights=Scheme(grid=BinaryCode(bits=3), granularity=PerChannel(0))),
    "lq-nets3": Recipe(name="lq-nets3", weights=Scheme(grid=LQNets(bits=3), granularity=PerChannel(0))),
    "ttq": Recipe(name="ttq", weights=Scheme(grid=TrainedTernary(), granularity=PerChannel(0))),
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
    """A recipe by name, from a .toml file, or the value itself.

    The file has `name` and the tables [weights] and [activations] with `bits`, `symmetric`, `narrow`,
    `power_of_two_scale`, `range` ("minmax", "percentile:99.9", "mse", "entropy", "aciq" ...) and, for weights,
    `granularity` ("per_channel" or "per_tensor"), and [intermediate_bits] with one width an op; what is left out is as
    in "int8".

    Raises
    ------
    RangeError    unknown name; the text lists those there are
    LoadError     a file that cannot be read, an unknown key or a value of the wrong type
    """
    if isinstance(recipe, Recipe):
        return recipe
    if str(recipe) in RECIPES:
        return RECIPES[str(recipe)]
    path = Path(recipe)
    if path.suffix != ".toml":
        raise RangeError(f"recipe={str(recipe)!r} is unknown; recipes are {', '.join(RECIPES)}, or a .toml file")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LoadError(f"{path}: recipe cannot be read: {error}") from error
    unknown = set(table) - {"name", "weights", "activations", "intermediate_bits"}
    if unknown:
        raise LoadError(
            f"{path}: unknown key {sorted(unknown)[0]!r}; a recipe has name, weights, activations and intermediate_bits"
        )
    default = RECIPES["int8"]
    return Recipe(
        name=str(table.get("name", path.stem)),
        weights=_scheme(path, "weights", table.get("weights", {}), default.weights),
        activations=_scheme(path, "activations", table.get("activations", {}), default.activations),
        intermediate_bits=_widths(path, table.get("intermediate_bits", {})),
    )


def _widths(path: Path, given: Any) -> dict[str, int]:
    if not isinstance(given, dict):
        raise LoadError(f"{path}: intermediate_bits must be a table")
    for op, bits in cast(dict[str, Any], given).items():
        if type(bits) is not int or not 2 <= bits <= 32:
            raise LoadError(f"{path}: intermediate_bits.{op}={bits!r} must be an integer in 2..32")
    return cast(dict[str, int], given)


def _scheme(path: Path, section: str, given: Any, default: Scheme) -> Scheme:
    if not isinstance(given, dict):
        raise LoadError(f"{path}: {section} must be a table")
    table = cast(dict[str, Any], given)
    for key, value in table.items():
        if key not in _KEYS:
            raise LoadError(f"{path}: unknown key {section}.{key}; keys are {', '.join(_KEYS)}")
        if type(value) is not _KEYS[key]:
            raise LoadError(f"{path}: {section}.{key}={value!r} must be of type {_KEYS[key].__name__}")
    granularity = table.get("granularity", "per_channel" if section == "weights" else "per_tensor")
    choices = {"per_tensor": PerTensor(), "per_channel": PerChannel(0)}
    if granularity not in choices or (section == "activations" and granularity != "per_tensor"):
        raise LoadError(f"{path}: {section}.granularity={granularity!r} is not supported for {section}")
    range_given = table.get("range")
    preset = default.grid if isinstance(default.grid, Uniform) else Uniform()
    try:
        chosen = default.range if range_given is None else find_range(range_given)
        grid = Uniform(
            bits=table.get("bits", preset.bits),
            symmetric=table.get("symmetric", preset.symmetric),
            narrow=table.get("narrow", preset.narrow),
            power_of_two_scale=table.get("power_of_two_scale", preset.power_of_two_scale),
        )
    except RangeError as error:
        raise LoadError(f"{path}: {section}: {error}") from error
    return Scheme(grid=grid, granularity=choices[granularity], range=chosen)
