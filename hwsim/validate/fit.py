"""Fit of a device's physical constants to published times, and its leave-one-model-out error.

    minimise  sum over times ((log predicted - log published) / noise)^2  +  sum over constants (step / spread)^2

The constants are those whose source begins "derived: fitted". Steps are logarithms of their ratio to the prior of
specs/technology/priors.toml, which holds what is typical of the engine, of a core by its kind of kernels; a speed
common to all kernels of a core is free. Gauss-Newton with numerical derivatives. Times are latencies of networks, of
single kernels, and speed-ups of a kernel between two widths; one measured several times at the same batch and widths
counts once, with the geometric mean of its rows. A convolution of one shape is a model like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.arch.technology import table
from hwsim.arch.vary import numbers, with_values
from hwsim.errors import SpecError
from hwsim.validate.compare import attempt, predicted
from hwsim.validate.measurements import Measurement
from hwsim.validate.workloads import Workloads

MARK = "derived: fitted"
NOISE = {
    "latency_ms": 0.04,
    "kernel_us": 0.12,
    "kernel_int4_int8_speedup": 0.12,
    "layer_int4_int8_speedup": 0.08,
    "power_mw": 0.05,
    "fps": 0.1,
}
"""Standard deviation of the logarithm of a time or power. One kernel tuned twice differs by 0.17, sqrt(2) times that of
one tuning; networks average over their layers"""
_COMMON_SPREAD = 1.5
_ITERATIONS = 12
_STEP = 0.02
_LARGEST_STEP = 0.7


def constants(arch: Arch) -> dict[str, float]:
    """Path -> value of every constant whose source says that it was fitted, e.g. "link.bandwidth_mb_per_s"."""
    found = {path: number.value for path, number in numbers(arch).items() if number.source.startswith(MARK)}
    return {path: value for path, value in found.items() if not arch.fit or path in arch.fit}


def priors(arch: Arch) -> dict[str, tuple[float, float, bool]]:
    """Path -> (typical value, spread of its logarithm, whether the common speed scales it).

    Raises
    ------
    SpecError    a constant is marked as fitted and the engine has no prior for it
    """
    kind = arch.engine if arch.kernels is None else f"{arch.engine}.{arch.kernels.family}"
    typical = reduce(lambda found, key: found.get(key, {}), kind.split("."), table("priors"))
    found: dict[str, tuple[float, float, bool]] = {}
    for path in constants(arch):
        if path not in typical:
            raise SpecError(f"{arch.name}: {path} is marked as fitted and priors.toml has none for {kind}")
        entry = typical[path]
        value = float(entry["value"])
        if entry.get("unit") == "cycles":
            value /= arch.clock_mhz.value
        found[path] = (value, float(entry["spread"]), bool(entry.get("common", False)))
    return found


def targets(measured: Iterable[Measurement], arch: Arch, workloads: Workloads) -> list[Measurement]:
    """The times and powers to fit to, each once with the geometric mean of its rows; a model has one name."""
    rows: dict[tuple[object, ...], list[Measurement]] = {}
    for m in measured:
        known = m.device == arch.name and m.quantity in NOISE and not m.excluded
        if known and attempt(m, arch, workloads)[0] is not None:
            name = workloads.known_as(m.model, m.batch, m.weights, m.activations, m.size)
            key = (name, m.quantity, m.batch, m.weights, m.activations, m.over, m.detail)
            rows.setdefault(key, []).append(replace(m, model=name))
    return [replace(same[0], value=float(np.exp(np.mean([np.log(m.value) for m in same])))) for same in rows.values()]


def fitted(arch: Arch, measured: Iterable[Measurement], workloads: Workloads) -> Arch:
    """The device with its constants fitted to the measurements.

    Raises
    ------
    SpecError    nothing to fit or no measurement of a known model
    """
    chosen = targets(measured, arch, workloads)
    if not chosen:
        raise SpecError(f"{arch.name}: no measurement of a known model to fit to; check --data and [[measured]]")
    return _solve(arch, chosen, workloads)


def _solve(arch: Arch, chosen: Sequence[Measurement], workloads: Workloads) -> Arch:
    known = priors(arch)
    if not known:
        raise SpecError(f"{arch.name}: no constant has a source beginning {MARK!r}; there is nothing to fit")
    paths = list(known)
    start = np.log([known[path][0] for path in paths])
    common = np.array([known[path][2] for path in paths], np.float64)
    spread = np.array([*(known[path][1] for path in paths), _COMMON_SPREAD])
    published = np.log([m.value for m in chosen])
    noise = np.array([NOISE[m.quantity] for m in chosen])

    def device(theta: np.ndarray) -> Arch:
        logs = start + theta[:-1] + common * theta[-1]
        return with_values(arch, dict(zip(paths, np.exp(logs).tolist(), strict=True)))

    def residuals(theta: np.ndarray) -> np.ndarray:
        current = device(theta)
        times = [predicted(m, current, workloads) or 1e-9 for m in chosen]
        return np.concatenate([(np.log(times) - published) / noise, theta / spread])

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
    """Model, in every spelling of its rows -> the device fitted to the rows of all other models.

    Raises
    ------
    SpecError    fewer than two known models
    """
    rows = list(measured)
    chosen = targets(rows, arch, workloads)
    models = dict.fromkeys(m.model for m in chosen)
    if len(models) < 2:
        raise SpecError(f"{arch.name}: leaving one model out needs two measured models, there are {len(models)}")
    without = {left: _solve(arch, [m for m in chosen if m.model != left], workloads) for left in models}
    spelled = {m.model: workloads.known_as(m.model, m.batch, m.weights, m.activations, m.size) for m in rows}
    return {name: without[model] for name, model in spelled.items() if model in without}
