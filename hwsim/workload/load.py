"""Model file -> Workload."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwsim.errors import WorkloadError
from hwsim.workload.deployed import Held, from_graph
from hwsim.workload.layers import Workload

TABLE_BITS = 8
"""Of an entry of the tables that codes of weights name"""


def _grid_bits(grid: Any, recipe: str | Path) -> int:
    bits = getattr(grid, "bits", None)
    if not isinstance(bits, int):
        raise WorkloadError(f"--recipe {recipe}: {type(grid).__name__} states no bit width; give --weights instead")
    return bits


def _held(recipe: Any, name: str | Path) -> Held:
    """How a recipe holds weights; a multiplier of integers reads the 8-bit entries of tables that codes name."""
    from refq.quantizers.weights import is_coded

    grid = recipe.weights.grid
    bits, multiplier = _grid_bits(grid, name), getattr(grid, "multiplier", "multiply")
    if not is_coded(recipe.weights):
        return Held(bits, None, multiplier)
    stored = bits * getattr(grid, "stages", 1) / getattr(grid, "width", 1)
    return Held(TABLE_BITS, stored, "group_rescale" if multiplier == "multiply" else multiplier)


def load_workload(
    path: str | Path,
    *,
    batch: int = 1,
    weights: int = 8,
    activations: int = 8,
    input_shape: Sequence[int] | None = None,
    recipe: str | Path | None = None,
    open_shape: Sequence[int] | None = None,
) -> Workload:
    """Load a model file and take its workload; a recipe gives both widths instead of the two numbers.

    Parameters
    ----------
    open_shape : sizes of the input without the batch, used where the file leaves them open

    Raises
    ------
    WorkloadError    a width outside 1..32, batch below one
    RefqError        a file or recipe that cannot be read
    """
    from refq.errors import LoadError
    from refq.io.load import load

    held = Held(weights)
    if recipe is not None:
        from refq.quantizers import find_recipe

        chosen = find_recipe(recipe)
        held, activations = _held(chosen, recipe), _grid_bits(chosen.activations.grid, recipe)
    for name, bits in (("weights", held.bits), ("activations", activations)):
        if not 1 <= bits <= 32:
            raise WorkloadError(f"--{name} {bits} is outside 1..32 bits")
    try:
        graph = load(path, input_shape=input_shape)
    except LoadError:
        if open_shape is None:
            raise
        graph = load(path, input_shape=open_shape)
    return from_graph(graph, batch, held, activations)
