"""Running a model's real integers through the stepped array, layer by layer.

    sum[m, n] = (a b)[m, n] - zx sum_k b[k, n] - zw[n] sum_k a[m, k] + K zx zw[n] + bias[n]

The array multiplies codes; the terms of the zero points are added where hardware adds them, behind the array. Unsigned
codes enter with their top bit flipped, padding as the zero point (as -1 on a binary array, corrected behind it).

    activity = (toggles of this run) / (toggles of uniform random codes in the same place)
    energy   = estimate, its MAC part times activity

A layer runs on the part of the array that the estimate uses (hwsim/engines/systolic.py), one GEMM a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.arch.spec import Arch
from hwsim.engines.systolic import ON_ARRAY, best_shape
from hwsim.errors import PrecisionError, SpecError, WorkloadError
from hwsim.estimate import estimate
from hwsim.machine.array import PRECISIONS, Activity, run
from hwsim.machine.closed_form import split_cycles
from hwsim.report.simulation import SimulatedLayer, Simulation, Switching
from hwsim.workload import Codes, IntegerLayer, Workload, from_graph, integer_layers

Ints = NDArray[np.int64]


def _centred(operand: Codes) -> tuple[Ints, Ints]:
    """Codes and zero point as two's complement: unsigned codes lose half their range."""
    half = 0 if operand.signed else 1 << (operand.bits - 1)
    return operand.codes - half, operand.zero - half


def precision_of(layer: IntegerLayer, arch: Arch) -> str:
    """The processing element for a layer's widths: the narrowest that takes both operands, two products a cycle where
    the device packs them."""
    if layer.x.bits == layer.w.bits == 1 and layer.x.signed and layer.w.signed:
        return "binary"
    widest = max(layer.x.bits, layer.w.bits)
    if widest > 8:
        raise PrecisionError(
            f"{layer.name!r} is w{layer.w.bits}a{layer.x.bits}; the stepped arrays take at most 8 bits"
        )
    if widest > 4:
        return "int8"
    packed = {} if arch.array is None else {p.precision: p.products.value for p in arch.array.packed}
    return "2xint4" if packed.get(f"w{layer.w.bits}a{layer.x.bits}") == PRECISIONS["2xint4"].lanes else "int4"


def gemms(layer: IntegerLayer, pad: int | None = None) -> tuple[Ints, Ints, Ints]:
    """The layer as products: a (G, M, K), b (G, K, N), and what to add behind the array (G, M, N).

    pad : the code padding has on the array; the zero point if absent
    """
    nest = layer.nest
    x, x_zero = _centred(layer.x)
    w, w_zero = _centred(layer.w)
    G, K_out, window = nest.G, nest.K, nest.FY * nest.FX
    fill = int(x_zero) if pad is None else pad
    padding = np.zeros(0, np.bool_)
    if layer.op == "Dense":
        a = x.reshape(1, -1, x.shape[-1])
        b = w.T[None]
    else:
        rows, cols = np.arange(nest.OY) * nest.stride[0], np.arange(nest.OX) * nest.stride[1]
        taps = [(fy * nest.dilation[0], fx * nest.dilation[1]) for fy in range(nest.FY) for fx in range(nest.FX)]

        def patches(image: NDArray[Any], value: Any) -> NDArray[Any]:
            padded = np.pad(image, ((0, 0), *layer.pads, (0, 0)), constant_values=value)
            seen = np.stack([padded[:, (rows + dy)[:, None], cols + dx] for dy, dx in taps], axis=3)
            split = seen.reshape(-1, window, G, image.shape[3] // G)
            return np.moveaxis(split, 2, 0).reshape(G, len(split), -1)

        a = patches(x, fill)
        if fill != int(x_zero):
            padding = patches(np.zeros(x.shape, np.bool_), True)
        if layer.op == "DepthwiseConv2D":
            b = np.moveaxis(w.reshape(window, G, K_out), 1, 0)
        else:
            b = w.reshape(G, K_out, -1).swapaxes(1, 2)
    zero_w = np.broadcast_to(w_zero, (G * K_out,)).reshape(G, 1, K_out)
    K = a.shape[2]
    behind = K * x_zero * zero_w - x_zero * b.sum(axis=1, keepdims=True) - zero_w * a.sum(axis=2, keepdims=True)
    if padding.size:
        behind = behind - (fill - x_zero) * (padding.astype(np.int64) @ (b - zero_w))
    if layer.bias is not None:
        behind = behind + layer.bias.reshape(G, 1, K_out)
    return a, b, behind


def read_input(path: str) -> NDArray[Any]:
    """The array of a .npy file.

    Raises
    ------
    WorkloadError    a file that cannot be read, or holds no numbers
    """
    try:
        array = np.load(Path(path), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise WorkloadError(f"{path}: cannot be read as .npy ({error}); save it with numpy.save") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim == 0 or array.size == 0:
        raise WorkloadError(f"{path}: holds no array of numbers; save inputs (batch, ...) with numpy.save")
    return array


def _random(like: Ints, precision: str, rng: np.random.Generator) -> Ints:
    if precision == "binary":
        return rng.choice(np.array([-1, 1]), like.shape)
    half = 1 << (PRECISIONS[precision].bits - 1)
    return rng.integers(-half, half, like.shape)


def _toggles(activity: Activity) -> int:
    return activity.a_toggles + activity.b_toggles + activity.sum_toggles


def simulate_layer(layer: IntegerLayer, arch: Arch, activity: bool = False) -> SimulatedLayer:
    """Step the array of a device over one layer and compare every sum with refq's.

    Raises
    ------
    SpecError         the device has no systolic array
    PrecisionError    widths the stepped arrays do not take
    """
    array = arch.array
    if array is None or arch.engine != "systolic":
        raise SpecError(f"{arch.name} has engine {arch.engine!r}; only systolic arrays can be stepped")
    if min(layer.sums.shape) == 0:
        raise WorkloadError(f"layer {layer.name!r} has no outputs; give at least one input")
    precision = precision_of(layer, arch)
    form = PRECISIONS[precision]
    a, b, behind = gemms(layer, pad=-1 if precision == "binary" else None)
    (G, M, K), N = a.shape, b.shape[2]
    taps = layer.nest.FY * layer.nest.FX if array.mapping == "direct" and array.dataflow != "os" else 1
    words = -(-(K // taps) // form.lanes)
    sustained = 1.0 if array.sustained_pct is None else array.sustained_pct.value / 100
    r, c = best_shape(
        M, N, words, int(array.rows.value), int(array.cols.value), array.dataflow, array.overlap, sustained, taps
    )
    got = np.empty((G, M, N), np.int64)
    total: Activity | None = None
    reference, cycles = 0, 0
    rng = np.random.default_rng(0)
    for group in range(G):
        done = run(a[group], b[group], r, c, array.dataflow, array.overlap, precision, taps=taps)
        got[group] = done.output + behind[group if len(behind) > 1 else 0]
        cycles += done.cycles
        total = done.activity if total is None else total + done.activity
        if activity:
            noise = (_random(a[group], precision, rng), _random(b[group], precision, rng))
            reference += _toggles(run(*noise, r, c, array.dataflow, array.overlap, precision, taps=taps).activity)
    assert total is not None
    sums = np.moveaxis(got, 0, 1).reshape(layer.sums.shape)
    convention = "rtl-overlapped" if array.overlap else "rtl"
    formula = G * int(sum(split_cycles(M, N, words, r, c, array.dataflow, convention, taps)))
    return SimulatedLayer(
        name=layer.name,
        op=layer.op,
        gemm=(G, M, N, K),
        shape=(r, c),
        precision=precision,
        cycles=cycles,
        closed_form=formula,
        estimate=float(formula),
        utilization=total.steps / (cycles * array.rows.value * array.cols.value),
        sums=sums.size,
        wrong=int((sums != layer.sums).sum()),
        activity=Switching(
            real_zero_pct=100 * float((a == _centred(layer.x)[1]).mean()),
            zero_pct=100 * total.zero_macs / total.macs,
            a_bits_per_step=total.a_toggles / total.steps,
            b_bits_per_step=total.b_toggles / total.steps,
            sum_bits_per_step=total.sum_toggles / total.steps,
        ),
        macs=total.macs,
        activity_factor=_toggles(total) / reference if reference else None,
        energy_uj=None,
        activity_energy_uj=None,
    )


def simulate(
    graph: Any, x: Any, arch: Arch, names: Sequence[str] = (), activity: bool = False, noise: bool = False
) -> Simulation:
    """Step the array over the layers of a quantized model.

    Parameters
    ----------
    graph : quantized Graph; x : its input, reals or codes
    names : layers to run; all of them if empty
    activity : also run random codes, which gives the activity factor and the energy it scales
    noise : x is made up; the result says so

    Raises
    ------
    WorkloadError    a name that is not a convolution or dense layer of the model
    """
    layers, others = integer_layers(graph, x)
    known = [layer.name for layer in layers]
    missing = [name for name in names if name not in known]
    if missing:
        raise WorkloadError(
            f"{graph.name!r} has no multiply-accumulate layer {missing[0]!r}; known are {', '.join(known)}"
        )
    beside = arch.vector is not None and arch.vector.depthwise
    on_array = [la for la in layers if la.nest.kind in ON_ARRAY or (la.nest.kind == "depthwise" and not beside)]
    if names:
        moved = sorted(set(names) - {la.name for la in on_array})
        if moved:
            raise WorkloadError(f"{arch.name} runs {moved[0]!r} on its vector unit; choose another layer")
        on_array = [la for la in on_array if la.name in names]
    elsewhere = tuple(n for n in known if n not in {la.name for la in on_array} and not names) + others
    workload: Workload = from_graph(graph, max(1, len(np.asarray(x))))
    rows = {row.name: row for row in estimate(workload, arch).layers}
    done: list[SimulatedLayer] = []
    for layer in on_array:
        one = simulate_layer(layer, arch, activity)
        row = rows.get(layer.name)
        if row is not None:
            joules = row.energy_uj
            scaled = None
            if joules is not None and one.activity_factor is not None:
                scaled = joules.total - joules.mac + joules.mac * one.activity_factor
            total = None if joules is None else joules.total
            one = replace(one, estimate=float(row.cycles), energy_uj=total, activity_energy_uj=scaled)
        done.append(one)
    notes: tuple[str, ...] = (
        "cycles: counted on the array, operands at hand; estimate: the whole layer with stalls, link and overhead",
        "activity: toggles over those of uniform random codes; it scales the MAC part of the energy only",
    )
    if noise:
        notes += ("inputs are seeded Gaussian noise: give --input for the activity of real data",)
    return Simulation(model=graph.name, arch=arch.name, layers=tuple(done), elsewhere=elsewhere, notes=notes)
