"""Laws of the closed forms: monotone in the work, blind to how full the last tile is, never below the lower bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.machine.closed_form import CONVENTIONS, DATAFLOWS, mapping_efficiency, systolic_cycles

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
