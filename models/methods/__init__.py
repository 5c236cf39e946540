"""Methods of quantization-aware training, one family a file, and what the literature expects of them."""

from models.methods.binary import BINARY
from models.methods.dense_signs import DENSE_SIGNS
from models.methods.gradual import GRADUAL
from models.methods.levels import LEVELS
from models.methods.method import Method, Real
from models.methods.orderings import ORDERINGS, Ordering
from models.methods.process import PROCESS
from models.methods.search import SEARCH
from models.methods.ternary import TERNARY
from models.methods.uniform import UNIFORM

METHODS: dict[str, Method] = UNIFORM | BINARY | TERNARY | LEVELS | GRADUAL | SEARCH | DENSE_SIGNS | PROCESS
"""Rows of the table by name, in its order."""

__all__ = ["METHODS", "ORDERINGS", "Method", "Ordering", "Real"]
