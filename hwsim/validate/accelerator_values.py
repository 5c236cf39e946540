"""What a device makes of a row of a table of accelerators, see `hwsim/validate/accelerators.py`.

latency_ms, processing_ms   of layers, with and without what they wait for the link
buffer_mb, off_chip_mb      10^6 bytes in and out of the buffer, across the chip boundary
power_mw                    energy without that of the link over latency
fps                         batch / latency, dense layers at a batch of their own
tops, utilization_pct       2 * MACs / latency; MACs over those the array could have done
peak_gops, peak_tops_per_w, peak_power_mw      of a device that multiplies at its first widths all the time
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from hwsim.arch.spec import Arch
from hwsim.arch.vary import with_values
from hwsim.cost.area import area_mm2
from hwsim.cost.energy import static_mw
from hwsim.cost.network import Costs, costs
from hwsim.engines.base import find_engine
from hwsim.errors import WorkloadError
from hwsim.estimate import check_precision
from hwsim.validate.accelerators import TOTAL, Detail
from hwsim.validate.measurements import Measurement
from hwsim.validate.workloads import Workloads
from hwsim.workload import Workload
from hwsim.zeros import with_zeros


def needs_model(m: Measurement) -> bool:
    """Whether the quantity is of a network."""
    return not (m.quantity.startswith("peak_") or m.quantity == "area_mm2")


def accelerator_value(m: Measurement, arch: Arch, workloads: Workloads) -> float | None:
    """The device's value of a measurement with a detail; None without a model of that name or a basis.

    Raises
    ------
    HwsimError    a layer the network lacks, or what the device does not take
    """
    detail = m.detail or Detail()
    arch = with_values(arch, dict(detail.design))
    if m.quantity == "area_mm2":
        return area_mm2(arch)
    if not needs_model(m):
        return _peak(arch, m.quantity)
    workload = workloads.find(m.model, m.batch, m.weights, m.activations)
    if workload is None:
        return None
    labels = labels_of(workload)
    workload = _with_zeros(workload, labels, detail)
    check_precision(workload, arch)
    found, clock = costs(workload, arch), arch.clock_mhz.value
    if m.quantity == "fps":
        return _frames(found, detail, arch, workloads, m)
    if m.quantity in ("tops", "utilization_pct"):
        latency_us = float(np.sum(found.latency_us) + found.start_us)
        tops = 2e-6 * workload.macs / latency_us
        return tops if m.quantity == "tops" else 1e8 * tops / (2 * peak_macs(arch) * clock)
    which = _chosen(labels, detail)
    if m.quantity == "processing_ms":
        return float(np.sum((found.cycles.total - found.cycles.overhead)[which])) / clock / 1e3
    if m.quantity == "latency_ms":
        return float(np.sum(found.latency_us[which])) / 1e3
    if m.quantity == "buffer_mb":
        return float(np.sum((found.moved.input + found.moved.output)[which])) / 1e6
    if m.quantity == "off_chip_mb":
        return float(np.sum(found.dram[which])) / 1e6
    if found.energy_uj is None:
        return None
    energy = sum(float(np.sum(part[which])) for name, part in found.energy_uj.items() if name != "dram")
    return 1e3 * energy / float(np.sum(found.latency_us[which]))


def peak_macs(arch: Arch) -> float:
    """Multiply-accumulates a cycle."""
    return float(find_engine(arch.engine).peak_macs_per_cycle(arch))


def _peak(arch: Arch, quantity: str) -> float | None:
    rate = peak_macs(arch) * arch.clock_mhz.value * 1e6
    if quantity == "peak_gops":
        return 2e-9 * rate
    energy = arch.energy
    if energy is None or energy.mac_pj is None or not arch.precisions:
        return None
    weights, activations = (int(bits) for bits in re.findall(r"\d+", arch.precisions[0]))
    one_pj = energy.mac_pj.value * weights * activations / 64
    if quantity == "peak_power_mw":
        return one_pj * rate * 1e-9 + float(static_mw(arch))
    return None if one_pj <= 0 else 2 / one_pj


def _frames(found: Costs, detail: Detail, arch: Arch, workloads: Workloads, m: Measurement) -> float:
    dense = found.layers.op == "Dense"
    spent = float(np.sum(found.latency_us) + found.start_us)
    if detail.dense_batch > 1 and dense.any():
        many = workloads.find(m.model, detail.dense_batch, m.weights, m.activations)
        assert many is not None
        shared = costs(many, arch).latency_us[dense] / detail.dense_batch
        spent += float(np.sum(shared - found.latency_us[dense]))
    return 1e6 * m.batch / spent


def labels_of(workload: Workload) -> dict[str, int]:
    """Labels of published tables -> layers: CONV3, or CONV2-1 counted behind each pooling; FC1, or FC6 counted on.

    Examples
    --------
    >>> from hwsim.workload import Layer, LoopNest, from_layers
    >>> kinds = {"Conv2D": "mac", "MaxPool2D": "pool", "Dense": "mac"}
    >>> ops = ("Conv2D", "MaxPool2D", "Conv2D", "Conv2D", "Dense")
    >>> labels_of(from_layers(Layer(name=op, op=op, nest=LoopNest(kind=kinds[op])) for op in ops))
    {'CONV1': 0, 'CONV1-1': 0, 'CONV2': 2, 'CONV2-1': 2, 'CONV3': 3, 'CONV2-2': 3, 'FC1': 4, 'FC4': 4}
    """
    found: dict[str, int] = {}
    count = dense = within = 0
    block = 1
    for index, layer in enumerate(workload.layers):
        if layer.nest.kind == "pool" and within:
            block, within = block + 1, 0
        elif layer.op in ("Conv2D", "DepthwiseConv2D"):
            count, within = count + 1, within + 1
            found |= {f"CONV{count}": index, f"CONV{block}-{within}": index}
        elif layer.op == "Dense":
            dense += 1
            found |= {f"FC{dense}": index, f"FC{count + dense}": index}
    return found


def _place(labels: dict[str, int], label: str) -> int:
    plain = label.strip().upper().replace("_", "-")
    if plain not in labels:
        known = ", ".join(labels)
        raise WorkloadError(f"layer {label!r} of the table is none of the network's, which are {known}")
    return labels[plain]


def _chosen(labels: dict[str, int], detail: Detail) -> Sequence[int] | slice:
    if not detail.layer:
        return slice(None)
    if detail.layer == TOTAL:
        return sorted({_place(labels, label) for label, _ in detail.shares})
    return [_place(labels, detail.layer)]


def _with_zeros(workload: Workload, labels: dict[str, int], detail: Detail) -> Workload:
    given = {_place(labels, label): share for label, share in detail.shares if share is not None}
    return with_zeros(workload, {workload.layers[index].name: share for index, share in given.items()})
