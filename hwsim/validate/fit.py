"""Fit of a device's physical constants to published latencies, and its leave-one-model-out error.

    minimise  sum over models ((log predicted - log published) / noise)^2  +  sum over constants (step / spread)^2

The constants are those whose source begins "derived: fitted". Steps are logarithms of their ratio to the prior of
specs/technology/priors.toml, which holds what is typical of the engine and knows none of the devices' own rows; a speed
common to all kernels of a core is free. Gauss-Newton with numerical derivatives. A model measured several times counts
once, with the geometric mean of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from hwsim.arch.spec import Arch, Quantity
from hwsim.arch.technology import table
from hwsim.arch.vary import with_values
from hwsim.errors import SpecError
from hwsim.validate.compare import predict
from hwsim.validate.measurements import Measurement
from hwsim.validate.workloads import Workloads
from hwsim.workload import Workload

MARK = "derived: fitted"
NOISE = 0.04
_COMMON_SPREAD = 1.5
_ITERATIONS = 12
_STEP = 0.02
_LARGEST_STEP = 0.7


def constants(arch: Arch) -> dict[str, float]:
    """Path -> value of every constant whose source says that it was fitted, e.g. "link.bandwidth_mb_per_s"."""
    found: dict[str, float] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, Quantity):
            if value.source.startswith(MARK):
                found[path] = value.value
        elif hasattr(value, "__struct_fields__"):
            for name in value.__struct_fields__:
                walk(getattr(value, name), f"{path}.{name}" if path else name)
        elif isinstance(value, tuple) and path == "memory":
            for index, item in enumerate(value):
                walk(item, f"{path}.{index}")

    walk(arch, "")
    return {path: value for path, value in found.items() if not arch.fit or path in arch.fit}


def priors(arch: Arch) -> dict[str, tuple[float, float, bool]]:
    """Path -> (typical value, spread of its logarithm, whether the common speed scales it).

    Raises
    ------
    SpecError    a constant is marked as fitted and the engine has no prior for it
    """
    typical = table("priors").get(arch.engine, {})
    found: dict[str, tuple[float, float, bool]] = {}
    for path in constants(arch):
        if path not in typical:
            raise SpecError(f"{arch.name}: {path} is marked as fitted and priors.toml has none for {arch.engine}")
        entry = typical[path]
        value = float(entry["value"])
        if entry.get("unit") == "cycles":
            value /= arch.clock_mhz.value
        found[path] = (value, float(entry["spread"]), bool(entry.get("common", False)))
    return found


def _targets(measured: Iterable[Measurement], arch: Arch) -> dict[str, float]:
    """Model -> logarithm of its geometric mean latency."""
    logs: dict[str, list[float]] = {}
    for m in measured:
        if m.device == arch.name and m.quantity == "latency_ms" and not m.excluded:
            logs.setdefault(m.model, []).append(float(np.log(m.value)))
    return {model: float(np.mean(values)) for model, values in logs.items()}


def fitted(arch: Arch, measured: Iterable[Measurement], workloads: Workloads) -> Arch:
    """The device with its constants fitted to the measurements.

    Raises
    ------
    SpecError    nothing to fit or no measurement of a known model
    """
    targets = _targets(measured, arch)
    nets = {model: net for model in targets if (net := workloads.find(model)) is not None}
    if not nets:
        raise SpecError(f"{arch.name}: no measurement of a known model to fit to; check --data and [[measured]]")
    return _solve(arch, nets, targets)


def _solve(arch: Arch, nets: Mapping[str, Workload], targets: Mapping[str, float]) -> Arch:
    known = priors(arch)
    if not known:
        raise SpecError(f"{arch.name}: no constant has a source beginning {MARK!r}; there is nothing to fit")
    paths = list(known)
    start = np.log([known[path][0] for path in paths])
    common = np.array([known[path][2] for path in paths], np.float64)
    spread = np.array([*(known[path][1] for path in paths), _COMMON_SPREAD])

    def device(theta: np.ndarray) -> Arch:
        logs = start + theta[:-1] + common * theta[-1]
        return with_values(arch, dict(zip(paths, np.exp(logs).tolist(), strict=True)))

    def residuals(theta: np.ndarray) -> np.ndarray:
        current = device(theta)
        errors = [np.log(predict(net, current, "latency_ms") or 1e-9) - targets[m] for m, net in nets.items()]
        return np.concatenate([np.array(errors) / NOISE, theta / spread])

    return device(_gauss_newton(residuals, np.zeros(len(paths) + 1)))


def _gauss_newton(residuals: Callable[[np.ndarray], np.ndarray], theta: np.ndarray) -> np.ndarray:
    here = residuals(theta)
    for _ in range(_ITERATIONS):
        columns = [(residuals(theta + _STEP * unit) - here) / _STEP for unit in np.eye(len(theta))]
        step = np.linalg.lstsq(np.stack(columns, axis=1), -here, rcond=None)[0]
        step *= min(1.0, _LARGEST_STEP / max(np.abs(step).max(), 1e-12))
        for _ in range(5):
            there = residuals(theta + step)
            if there @ there < here @ here:
                break
            step /= 2
        else:
            break
        done = here @ here - there @ there < 1e-3
        theta, here = theta + step, there
        if done:
            break
    return theta


def leave_one_out(arch: Arch, measured: Iterable[Measurement], workloads: Workloads) -> dict[str, Arch]:
    """Model -> the device fitted to the rows of all other models.

    Raises
    ------
    SpecError    fewer than two known models
    """
    rows = list(measured)
    targets = _targets(rows, arch)
    nets = {model: net for model in targets if (net := workloads.find(model)) is not None}
    if len(nets) < 2:
        raise SpecError(f"{arch.name}: leaving one model out needs two measured models, there are {len(nets)}")
    return {left: _solve(arch, {model: net for model, net in nets.items() if model != left}, targets) for left in nets}
