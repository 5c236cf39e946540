"""Graph -> Graph, pure: the input is never changed, every result is a valid graph with the same inputs and outputs."""

from refq.graph import Graph
from refq.transforms.dynamic_quantize import dynamic_quantize
from refq.transforms.fold_batchnorm import fold_batchnorm
from refq.transforms.fuse_activation import fuse_activation
from refq.transforms.learned_intervals import learned_intervals
from refq.transforms.saturate_masks import masked_sums, saturate_masks
from refq.transforms.sign_inputs import binarize, residual_signs, scaled_signs, shifted_signs, without_relu

__all__ = [
    "binarize",
    "dynamic_quantize",
    "fold_batchnorm",
    "fuse_activation",
    "learned_intervals",
    "masked_sums",
    "prepare",
    "residual_signs",
    "saturate_masks",
    "scaled_signs",
    "shifted_signs",
    "without_relu",
]


def prepare(graph: Graph) -> Graph:
    """The graph as it is deployed: batch normalization folded into weights, ReLU fused into what precedes it."""
    return fuse_activation(fold_batchnorm(graph))
