"""Ways in which a datapath goes wrong, each as the values it would give instead of the right ones.

A diagnosis compares what hardware gave with every hypothesis; the one that reproduces it names the cause.
"""

from refq.verify.faults.array import of_array
from refq.verify.faults.hypothesis import CAUSES, Hypothesis
from refq.verify.faults.order import of_order
from refq.verify.faults.output import of_output
from refq.verify.faults.sums import of_sums

__all__ = ["CAUSES", "Hypothesis", "of_array", "of_order", "of_output", "of_sums"]
