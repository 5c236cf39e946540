"""Laws of the closed forms: monotone in the work, blind to how full the last tile is, never below the lower bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import hwsim
from hwsim.engines.base import columns
from hwsim.engines.systolic import cycles
from hwsim.machine.closed_form import CONVENTIONS, DATAFLOWS, mapping_efficiency, systolic_cycles
from tests.unit.hwsim.small_layers import conv

size, side, more = st.integers(1, 2000), st.integers(1, 64), st.integers(0, 500)
flow, convention = st.sampled_from(DATAFLOWS), st.sampled_from(CONVENTIONS)


@pytest.mark.parametrize("grown", range(3))
@given(gemm=st.tuples(size, size, size), r=side, c=side, flow=flow, convention=convention, extra=more)
def test_more_work_never_takes_fewer_cycles(grown, gemm, r, c, flow, convention, extra):
    larger = list(gemm)
    larger[grown] += extra
    assert systolic_cycles(*larger, r, c, flow, convention) >= systolic_cycles(*gemm, r, c, flow, convention)


@given(gemm=st.tuples(size, size, size), r=side, c=side, flow=flow, convention=convention)
def test_ragged_tiles_cost_what_full_ones_do(gemm, r, c, flow, convention):
    along = {"os": (0, 1), "ws": (2, 1), "is": (2, 0)}[flow]
    full = list(gemm)
    for axis, width in zip(along, (r, c), strict=True):
        full[axis] = -(-full[axis] // width) * width
    assert systolic_cycles(*full, r, c, flow, convention) == systolic_cycles(*gemm, r, c, flow, convention)
    assert mapping_efficiency(*full, r, c, flow) == 1


@given(gemm=st.tuples(size, size, size), r=side, c=side, flow=flow)
def test_conventions_are_ordered_and_bounded_by_the_macs(gemm, r, c, flow):
    counted = {name: systolic_cycles(*gemm, r, c, flow, name) for name in CONVENTIONS}
    assert counted["rtl-overlapped"] <= counted["rtl"]
    assert counted["scalesim"] + 1 == counted["scalesim-paper"]
    macs = gemm[0] * gemm[1] * gemm[2]
    for name in ("scalesim-paper", "rtl", "rtl-overlapped"):
        assert counted[name] * r * c >= macs
    assert 0 < mapping_efficiency(*gemm, r, c, flow) <= 1


@given(m=size, n=size, k=size, r=side, c=side, convention=convention)
def test_input_stationary_is_weight_stationary_of_the_transposed_product(m, n, k, r, c, convention):
    assert systolic_cycles(m, n, k, r, c, "is", convention) == systolic_cycles(n, m, k, r, c, "ws", convention)


@given(
    channels=size,
    filters=size,
    image=st.integers(1, 40),
    kernel=st.sampled_from([1, 3]),
    flow=flow,
    mapping=st.sampled_from(["im2col", "direct"]),
    banks=st.integers(1, 16),
    added=st.integers(0, 16),
    bandwidth=st.integers(1, 4000),
)
def test_memories_never_give_cycles_back(channels, filters, image, kernel, flow, mapping, banks, added, bandwidth):
    arch = hwsim.load_arch("systolic-16x16")
    layer = columns([conv(channels, filters, image, kernel)])

    def stall(count, double):
        quantities = {"banks": count, "width_bits": 32, "bandwidth_mb_per_s": bandwidth}
        given = {name: replace(arch.clock_mhz, value=value) for name, value in quantities.items()}
        memory = tuple(replace(m, **given, double_buffered=double) for m in arch.memory)
        array = replace(arch.array, dataflow=flow, mapping=mapping)
        done = cycles(layer, replace(arch, memory=memory, array=array))
        assert min(done.compute[0], done.fill[0], done.stall[0]) >= 0
        return done.stall[0]

    assert stall(banks + added, True) <= stall(banks, True) <= stall(banks, False)
