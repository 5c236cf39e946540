"""Energy and area of operations at a technology node.

    energy(node) = energy(45 nm) * (node / 45) * (V / 0.9)**2        area(node) = area(45 nm) * (node / 45)**2

Classical constant-field scaling; V is 0.9 V unless given. Below 28 nm wires and leakage scale worse: treat as a bound.
"""

from __future__ import annotations

from typing import Any

from hwsim.arch.catalog import specs_dir
from hwsim.arch.spec import read_toml
from hwsim.errors import SpecError

_BASE_NM = 45.0
_BASE_VOLT = 0.9


def technology(node_nm: float = _BASE_NM, voltage_v: float = _BASE_VOLT) -> dict[str, float]:
    """Numbers of specs/technology/45nm.toml scaled to a node, by key (`multiply_8_pj`, `mac_int8_acc32_um2` ...).

    Raises
    ------
    SpecError    a node outside 3 to 180 nm, a voltage outside 0.3 to 2 V
    """
    if not 3 <= node_nm <= 180:
        raise SpecError(f"node_nm={node_nm} lies outside 3 to 180; scaling from 45 nm does not reach it")
    if not 0.3 <= voltage_v <= 2:
        raise SpecError(f"voltage_v={voltage_v} lies outside 0.3 to 2; give the supply voltage in volts")
    table: dict[str, Any] = read_toml(specs_dir() / "technology" / "45nm.toml")
    energy = (node_nm / _BASE_NM) * (voltage_v / _BASE_VOLT) ** 2
    area = (node_nm / _BASE_NM) ** 2
    scaled = {key: float(entry["value"]) * energy for key, entry in table["energy"].items()}
    return scaled | {key: float(entry["value"]) * area for key, entry in table["area"].items()}
