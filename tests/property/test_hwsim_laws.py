"""Laws of the cost model: more hardware never hurts, nothing is cheaper than its lower bound, totals are sums."""

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import hwsim
from hwsim.arch.spec import Arch
from hwsim.arch.vary import with_values
from hwsim.cost.traffic import compulsory, traffic
from hwsim.engines.base import columns, find_engine
from hwsim.errors import SpecError
from hwsim.workload import Workload, from_layers
from tests.unit.hwsim.small_layers import add, conv, depthwise

size = st.integers(1, 40)
layer = st.one_of(
    st.builds(conv, st.integers(1, 300), st.integers(1, 300), size, st.sampled_from([1, 3, 5])),
    st.builds(depthwise, st.integers(1, 300), size),
    st.builds(add, st.integers(1, 10_000)),
)
network = st.lists(layer, min_size=1, max_size=4).map(from_layers)
dataflow = st.sampled_from(["os", "ws", "is"])
ARCHS = {name: hwsim.load_arch(name) for name in ("edgetpu", "systolic-16x16")}


def varied(arch: Arch, path: str, value: float) -> Arch:
    table, _, key = path.rpartition(".")
    owner = getattr(arch, table) if table else arch
    owner = replace(owner, **{key: replace(getattr(owner, key), value=value)})
    return replace(arch, **{table: owner}) if table else owner


@pytest.mark.parametrize("path", ["array.rows", "array.cols", "link.bandwidth_mb_per_s", "clock_mhz", "vector.lanes"])
@pytest.mark.parametrize("name", ARCHS)
@given(network=network, flow=dataflow, overlap=st.booleans(), low=st.integers(1, 128), more=st.integers(0, 128))
def test_more_hardware_is_never_slower(path, name, network, flow, overlap, low, more):
    arch = replace(ARCHS[name], array=replace(ARCHS[name].array, dataflow=flow, overlap=overlap))
    slow, fast = (hwsim.estimate(network, varied(arch, path, value)) for value in (low, low + more))
    assert fast.latency_ms <= slow.latency_ms * (1 + 1e-12)


@given(network=network, low=st.integers(0, 512), more=st.integers(0, 512))
def test_bigger_memory_never_moves_more_across_the_chip_boundary(network, low, more):
    def moved(kib: float) -> int:
        arch = ARCHS["systolic-16x16"]
        memory = tuple(replace(m, size_kib=replace(m.size_kib, value=kib)) for m in arch.memory)
        report = hwsim.estimate(network, replace(arch, memory=memory))
        return sum(row.bytes.dram for row in report.layers)

    assert moved(low + more) <= moved(low)


def at_widths(network: Workload, arch: Arch) -> Workload:
    """The network with the widths the device names first."""
    weight, activation = map(int, re.findall(r"\d+", arch.precisions[0]))
    return from_layers([dataclasses.replace(x, weight_bits=weight, activation_bits=activation) for x in network.layers])


@pytest.mark.parametrize("name", hwsim.archs())
@given(network=network)
def test_cycles_are_at_least_macs_over_peak(name, network):
    arch = hwsim.load_arch(name)
    network = at_widths(network, arch)
    peak = find_engine(arch.engine).peak_macs_per_cycle(arch)
    for row in hwsim.estimate(network, arch).layers:
        assert row.cycles * peak >= row.macs * (1 - 1e-12)
        assert 0 <= row.utilization <= 1


@given(network=network, flow=dataflow)
def test_traffic_is_at_least_compulsory(network, flow):
    arch = replace(ARCHS["edgetpu"], array=replace(ARCHS["edgetpu"].array, dataflow=flow))
    table = columns(network.layers)
    moved, least = traffic(table, arch), compulsory(table)
    for got, bound in zip((moved.weights, moved.input, moved.output), least, strict=True):
        assert (got >= bound).all()


@pytest.mark.parametrize("name", hwsim.archs())
@given(network=network)
def test_totals_equal_the_sums_of_the_rows(name, network):
    arch = hwsim.load_arch(name)
    report = hwsim.estimate(at_widths(network, arch), arch)
    assert report.cycles == sum(row.cycles for row in report.layers)
    assert report.latency_ms == sum(row.latency_us for row in report.layers) / 1e3
    assert report.macs == network.macs


@given(channels=st.integers(8, 128), size=st.integers(4, 32))
def test_depthwise_utilization_collapses_on_a_channel_unrolled_array(channels, size):
    report = hwsim.estimate(from_layers([depthwise(channels, size)]), ARCHS["systolic-16x16"])
    assert report.layers[1].utilization <= 1 / 16


def numbers(arch: Arch) -> list[str]:
    """Paths of the numbers of a device of which more is never worse, or costs never better."""
    paths = ["clock_mhz", "overhead.inference_us", "overhead.layer_us", "vector.lanes", "link.bandwidth_mb_per_s"]
    paths += ["kernels.dense_cycles_per_mac", "kernels.depthwise_cycles_per_mac", "kernels.cycles_per_output"]
    paths += ["array.rows", "array.cols", "window.channels", "window.modes.0.filters", "array.sustained_pct"]
    paths += [f"memory.{index}.size_kib" for index in range(len(arch.memory))]

    def known(path: str) -> bool:
        try:
            with_values(arch, {path: 1.0})
        except SpecError:
            return False
        return True

    if arch.link is not None and arch.link.whole_tiles:  # a larger array fetches more padding
        paths = [path for path in paths if not path.startswith("array.")]
    return [path for path in paths if known(path)]


def follows_a_compiler(name: str) -> bool:
    """Whether choices made on estimates decide, so that more of a resource, or a layer more, may change the cost of the
    others; tests/unit/hwsim/test_microblock_networks.py holds such devices to these laws on real networks."""
    return hasattr(find_engine(hwsim.load_arch(name).engine), "sequence")


CASES = [
    (name, path)
    for name in hwsim.archs()
    for path in numbers(hwsim.load_arch(name))
    if not follows_a_compiler(name) or path.startswith("overhead")
]


@pytest.mark.parametrize(("name", "path"), CASES)
@settings(max_examples=12)
@given(network=network, low=st.integers(1, 90), more=st.integers(0, 400))
def test_more_of_a_resource_is_never_slower_and_more_cost_never_faster(name, path, network, low, more):
    arch = hwsim.load_arch(name)
    network = at_widths(network, arch)
    little, much = (hwsim.estimate(network, with_values(arch, {path: v})).latency_ms for v in (low, low + more))
    if path.startswith(("overhead", "kernels")):
        little, much = much, little
    assert much <= little * (1 + 1e-12)


@pytest.mark.parametrize("name", [name for name in hwsim.archs() if not follows_a_compiler(name)])
@settings(max_examples=15)
@given(network=network, added=layer)
def test_one_layer_more_never_takes_less_time_or_energy(name, network, added):
    arch = hwsim.load_arch(name)
    last = dataclasses.replace(added, name="last", weight_key=added.weight_key and "last/w")
    longer = from_layers([*network.layers, last])
    less, more = (hwsim.estimate(at_widths(x, arch), arch) for x in (network, longer))
    assert more.macs == less.macs + added.nest.macs
    assert sum(row.latency_us for row in more.layers[1:]) >= sum(row.latency_us for row in less.layers[1:]) * (1 - 1e-9)
    assert less.energy_mj is None or sum(r.energy_uj.mac for r in more.layers) >= sum(
        r.energy_uj.mac for r in less.layers
    )


@pytest.mark.parametrize("name", hwsim.archs())
@given(network=network)
def test_energy_and_traffic_are_never_negative(name, network):
    arch = hwsim.load_arch(name)
    report = hwsim.estimate(at_widths(network, arch), arch)
    for row in report.layers:
        assert min(row.bytes.weights, row.bytes.input, row.bytes.output, row.bytes.dram) >= 0
        assert row.energy_uj is None or min(row.energy_uj.mac, row.energy_uj.sram, row.energy_uj.dram) >= 0


BLOCKS = [name for name in hwsim.archs() if hwsim.load_arch(name).engine in ("tensorcore", "atomic")]


@pytest.mark.parametrize("name", BLOCKS)
@given(network=network, low=st.integers(10, 2000), more=st.integers(0, 2000))
def test_a_faster_clock_is_never_slower_on_any_array_of_blocks(name, network, low, more):
    arch = hwsim.load_arch(name)
    network = at_widths(network, arch)
    slow, fast = (hwsim.estimate(network, varied(arch, "clock_mhz", mhz)) for mhz in (low, low + more))
    assert fast.latency_ms <= slow.latency_ms * (1 + 1e-12)


LINKED = [
    name
    for name in hwsim.archs()
    if (arch := hwsim.load_arch(name)).link is not None and arch.link.overlapped and not follows_a_compiler(name)
]


@pytest.mark.parametrize("name", LINKED)
@given(network=network, low=st.integers(10, 20_000), more=st.integers(0, 20_000))
def test_a_faster_link_beside_the_array_is_never_slower_and_hides_at_most_itself(name, network, low, more):
    arch = hwsim.load_arch(name)
    slow, fast = (hwsim.estimate(network, varied(arch, "link.bandwidth_mb_per_s", rate)) for rate in (low, low + more))
    assert fast.latency_ms <= slow.latency_ms * (1 + 1e-12)
    for row in slow.layers[1:]:
        assert row.latency_us >= 0
