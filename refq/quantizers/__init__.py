"""From reals to codes: grids, granularities, ranges, rounding, and the schemes and recipes composed of them."""

from refq.quantizers.abc_net import ABCActivations, ABCWeights
from refq.quantizers.apot import APoT
from refq.quantizers.apply import dequantize_array, fake_quantize, quantize_array
from refq.quantizers.arbitrary import ArbitraryLevels
from refq.quantizers.bases import Bases
from refq.quantizers.binary import Binary
from refq.quantizers.binary_code import BinaryCode
from refq.quantizers.granularity import Granularity, PerChannel, PerChannelGroup, PerGroup, PerTensor
from refq.quantizers.horq import HORQ
from refq.quantizers.kmeans_levels import KMeansLevels
from refq.quantizers.levels import Levels
from refq.quantizers.lq_nets import LQNets
from refq.quantizers.power_of_two import PowerOfTwo
from refq.quantizers.ranges import MinMax, Range
from refq.quantizers.recipe import Recipe
from refq.quantizers.recipes import RECIPES, find_recipe
from refq.quantizers.scheme import Scheme
from refq.quantizers.sign import Sign
from refq.quantizers.sign_products import SignPlanes, sign_matmul
from refq.quantizers.ternary import Ternary
from refq.quantizers.ternary_activation import TernaryActivation
from refq.quantizers.trained_ternary import TrainedTernary, trained_ternary_gradients
from refq.quantizers.uniform import Uniform
from refq.quantizers.vector_codebook import VectorCodebook
from refq.quantizers.vectors import Vectors
from refq.quantizers.weighted_entropy import WeightedEntropy
from refq.quantizers.wrpn import WRPN
from refq.quantizers.xnor import input_scales, xnor_convolution

__all__ = [
    "HORQ",
    "RECIPES",
    "WRPN",
    "ABCActivations",
    "ABCWeights",
    "APoT",
    "ArbitraryLevels",
    "Bases",
    "Binary",
    "BinaryCode",
    "Granularity",
    "KMeansLevels",
    "LQNets",
    "Levels",
    "MinMax",
    "PerChannel",
    "PerChannelGroup",
    "PerGroup",
    "PerTensor",
    "PowerOfTwo",
    "Range",
    "Recipe",
    "Scheme",
    "Sign",
    "SignPlanes",
    "Ternary",
    "TernaryActivation",
    "TrainedTernary",
    "Uniform",
    "VectorCodebook",
    "Vectors",
    "WeightedEntropy",
    "dequantize_array",
    "fake_quantize",
    "find_recipe",
    "input_scales",
    "quantize_array",
    "sign_matmul",
    "trained_ternary_gradients",
    "xnor_convolution",
]
