"""What a model is: frozen values, nothing that computes.

A `Graph` holds `Node` values in execution order, a `TensorSpec` for every tensor, and the arrays of its constants.
`QParams` says which integers stand for which reals. `LoopNest` is the arithmetic of one node as loop bounds, the form
in which an accelerator model reads it.
"""

from refq.graph.codebook import Codebook
from refq.graph.graph import Graph, Node, TensorSpec
from refq.graph.nest import LoopNest
from refq.graph.qparams import QParams

__all__ = ["Codebook", "Graph", "LoopNest", "Node", "QParams", "TensorSpec"]
