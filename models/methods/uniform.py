"""Uniform grids of 2 to 8 bits: plain rounding, straight-through, learned steps and intervals."""

from __future__ import annotations

from models.methods.method import Method, Real, behind_relu, grid, longer
from refq.quantizers import Uniform
from refq.quantizers.learning import (
    Averaged,
    DoReFaWeights,
    Lsq,
    LsqPlus,
    Pact,
    QilWeights,
    StraightThrough,
    UnitActivations,
    WrpnWeights,
)
from refq.training import learned_intervals, noisy_slopes


def plain(bits: int) -> Method:
    """Rounding to the nearest level, no training."""
    rules = {"weights": StraightThrough(grid=grid(bits)), "activations": Averaged(grid=Uniform(bits=bits))}
    return Method(bits=f"{bits} / {bits}", rules=rules, trains=False)


UNIFORM: dict[str, Method] = {
    "plain rounding, 8 bits": Method(bits="8 / 8", trains=False),
    "plain rounding, 4 bits": plain(4),
    "plain rounding, 2 bits": plain(2),
    "STE, moving averages": Method(bits="8 / 8"),
    "STE, normalization folded once": Method(bits="8 / 8", rules={"fold": "once"}),
    "STE, normalization folded at every step": Method(bits="8 / 8", rules={"fold": "always"}),
    "STE, delayed activations": Method(
        bits="4 / 4",
        rules={"weights": StraightThrough(grid=grid(4)), "activations": Averaged(grid=Uniform(bits=4), delay=0.3)},
    ),
    "STE, stochastic rounding": Method(
        bits="4 / 8", rules={"weights": StraightThrough(grid=grid(4), rounding="stochastic")}
    ),
    "LSQ, 4 bits": Method(bits="4 / 4", rules={"weights": Lsq(bits=4), "activations": behind_relu(4)}),
    "LSQ": Method(bits="2 / 2", rules={"weights": Lsq(bits=2), "activations": behind_relu(2)}),
    "LSQ+": Method(bits="2 / 2", rules={"weights": Lsq(bits=2, initial="deviation"), "activations": LsqPlus(bits=2)}),
    "PACT": Method(
        bits="2 / 2",
        rules={"weights": DoReFaWeights(bits=2), "activations": Pact(bits=2, decay=1e-2, initial=10.0)},
        more=longer(30, "alpha"),
    ),
    "DoReFa": Method(bits="2 / 2", rules={"weights": DoReFaWeights(bits=2), "activations": UnitActivations(bits=2)}),
    "DoReFa, 6-bit gradients": Method(
        bits="2 / 2",
        rules={"weights": DoReFaWeights(bits=2), "activations": UnitActivations(bits=2)},
        network={"slopes": noisy_slopes(6)},
    ),
    "QIL weights, LSQ activations": Method(
        bits="2 / 2", rules={"weights": QilWeights(bits=2), "activations": behind_relu(2)}
    ),
    "QIL": Method(
        bits="2 / 2",
        rules={
            "weights": QilWeights(bits=2),
            "activations": UnitActivations(bits=2),
            "inputs": learned_intervals(),
        },
    ),
    "WRPN": Method(
        bits="2 / 2", rules={"weights": WrpnWeights(bits=2), "activations": UnitActivations(bits=2)}, unit=True
    ),
    "WRPN, twice as wide": Method(
        bits="2 / 2",
        rules={"weights": WrpnWeights(bits=2), "activations": UnitActivations(bits=2)},
        unit=True,
        start=Real(width=32),
    ),
    "LSQ+ behind swish": Method(
        bits="2 / 2",
        rules={"weights": Lsq(bits=2, initial="deviation"), "activations": LsqPlus(bits=2)},
        more=lambda network: {"start_samples": 256},
        start=Real(function="swish"),
    ),
    "LSQ+ behind hard swish": Method(
        bits="2 / 2",
        rules={"weights": Lsq(bits=2, initial="deviation"), "activations": LsqPlus(bits=2)},
        more=lambda network: {"start_samples": 256},
        start=Real(function="hard_silu"),
    ),
    "LSQ without offset behind swish": Method(
        bits="2 / 2", rules={"weights": Lsq(bits=2), "activations": Lsq(bits=2)}, start=Real(function="swish")
    ),
}
