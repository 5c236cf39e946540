"""From reals to codes: grids, granularities, ranges, rounding, and the schemes and recipes composed of them."""

from refq.quantizers.apply import dequantize_array, fake_quantize, quantize_array
from refq.quantizers.binary import Binary
from refq.quantizers.granularity import Granularity, PerChannel, PerChannelGroup, PerGroup, PerTensor
from refq.quantizers.ranges import MinMax, Range
from refq.quantizers.recipe import RECIPES, Recipe, find_recipe
from refq.quantizers.scheme import Scheme
from refq.quantizers.ternary import Ternary
from refq.quantizers.uniform import Uniform

__all__ = [
    "RECIPES",
    "Binary",
    "Granularity",
    "MinMax",
    "PerChannel",
    "PerChannelGroup",
    "PerGroup",
    "PerTensor",
    "Range",
    "Recipe",
    "Scheme",
    "Ternary",
    "Uniform",
    "dequantize_array",
    "fake_quantize",
    "find_recipe",
    "quantize_array",
]
