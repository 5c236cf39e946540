"""What a simulation says, as values, JSON and a table. Standard library only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """What the operands are, and bits that change in the operand and sum registers for each word product.

    zero_pct : products of which an operand's code is zero; real_zero_pct : inputs that stand for real zero
    """

    zero_pct: float
    real_zero_pct: float
    a_bits_per_step: float
    b_bits_per_step: float
    sum_bits_per_step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedLayer:
    """One layer that went through the array.

    gemm : (groups, M, N, K); shape : the part of the array it ran on
    cycles : counted edges; closed_form : the same from the formula; estimate : what `hwsim estimate` charges the layer
    wrong : sums that differ from refq's; activity_factor : toggles over those of random codes
    """

    name: str
    op: str
    gemm: tuple[int, int, int, int]
    shape: tuple[int, int]
    precision: str
    macs: int
    cycles: int
    closed_form: int
    estimate: float
    utilization: float
    sums: int
    wrong: int
    activity: Switching
    activity_factor: float | None
    energy_uj: float | None
    activity_energy_uj: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """All simulated layers, and the names of those that have no place on the array."""

    model: str
    arch: str
    layers: tuple[SimulatedLayer, ...]
    elsewhere: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Every sum equals refq's and every count the closed form."""
        return all(la.wrong == 0 and la.cycles == la.closed_form for la in self.layers)


def as_json(result: Simulation) -> str:
    """The whole result, and `agrees`."""
    return json.dumps({**asdict(result), "agrees": result.agrees}, indent=2, allow_nan=False)


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def as_table(result: Simulation) -> str:
    """One line a layer."""
    head = (
        *(
            "layer",
            "G x M x N x K",
            "array",
            "precision",
            "cycles",
            "estimate",
            "util %",
            "sums",
            "wrong",
            "zero %",
            "x=0 %",
        ),
        *("a bits", "b bits", "sum bits", "activity", "energy uJ", "with activity"),
    )
    rows = [head]
    for la in result.layers:
        seen = la.activity
        rows.append(
            (
                la.name if len(la.name) <= 24 else la.name[:23] + "~",
                " x ".join(map(str, la.gemm)),
                f"{la.shape[0]}x{la.shape[1]}",
                la.precision,
                str(la.cycles),
                f"{la.estimate:.0f}",
                f"{100 * la.utilization:.1f}",
                str(la.sums),
                str(la.wrong),
                f"{seen.zero_pct:.1f}",
                f"{seen.real_zero_pct:.1f}",
                _number(seen.a_bits_per_step, 2),
                _number(seen.b_bits_per_step, 2),
                _number(seen.sum_bits_per_step, 2),
                _number(la.activity_factor),
                _number(la.energy_uj),
                _number(la.activity_energy_uj),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [f"{result.model} on {result.arch}"]
    lines += [
        "  ".join(
            cell.ljust(w) if i < 1 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    cycles = sum(la.cycles for la in result.layers)
    verdict = "every sum equals refq's, every cycle count its closed form" if result.agrees else "MISMATCH"
    lines.append(f"{cycles} cycles on the array; {verdict}")
    if result.elsewhere:
        lines.append(f"not on the array: {', '.join(result.elsewhere)}")
    return "\n".join([*lines, *(f"note: {note}" for note in result.notes)])
