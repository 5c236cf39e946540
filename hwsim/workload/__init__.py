"""Models as hardware sees them: the only place where hwsim meets refq."""

from hwsim.workload.deployed import from_graph
from hwsim.workload.integers import Codes, IntegerLayer, integer_layers, load_quantized
from hwsim.workload.layers import Layer, Workload, from_layers
from hwsim.workload.load import load_workload
from refq.graph import LoopNest

__all__ = [
    "Codes",
    "IntegerLayer",
    "Layer",
    "LoopNest",
    "Workload",
    "from_graph",
    "from_layers",
    "integer_layers",
    "load_quantized",
    "load_workload",
]
