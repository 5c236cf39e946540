"""Placement of tensors by lifetime: no two live buffers overlap, nothing beats the sum of what is alive."""

from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim.lifetimes import Buffer, alive_bytes, arena_bytes, place
from hwsim.workload import from_layers
from tests.unit.hwsim.small_layers import conv


def buffer(size, first, length):
    return size, first, first + length


buffers = st.lists(
    st.builds(buffer, st.integers(1, 50), st.integers(0, 12), st.integers(0, 6)), min_size=1, max_size=14
).map(lambda rows: [Buffer(name=f"t{i}", size=s, first=f, last=la) for i, (s, f, la) in enumerate(rows)])


@given(buffers)
def test_buffers_alive_together_do_not_overlap(some):
    address = place(some)
    for i, a in enumerate(some):
        for b in some[:i]:
            if a.first <= b.last and b.first <= a.last:
                assert address[a.name] + a.size <= address[b.name] or address[b.name] + b.size <= address[a.name]


@given(buffers)
def test_the_arena_lies_between_what_is_alive_and_the_sum_of_all(some):
    assert alive_bytes(some) <= arena_bytes(some) <= sum(b.size for b in some)


def test_a_chain_needs_its_widest_pair():
    chain = [Buffer(name=str(i), size=size, first=i, last=i + 1) for i, size in enumerate((10, 40, 25, 5))]
    assert arena_bytes(chain) == 40 + 25


def test_memory_of_the_dead_is_used_again():
    three = [Buffer(name=n, size=8, first=f, last=f) for n, f in (("a", 0), ("b", 1), ("c", 2))]
    assert set(place(three).values()) == {0}


def test_a_network_too_large_for_a_microcontroller_does_not_fit():
    report = hwsim.estimate(from_layers([conv(256, 512, 64, name="big")]), hwsim.load_arch("cortex-m4"))
    assert any(
        text.startswith("does not fit: activations need 3072 KiB, cortex-m4 has 640") for text in report.warnings
    )
    wide = hwsim.estimate(from_layers([conv(512, 1024, 2, name="big")]), hwsim.load_arch("cortex-m4"))
    assert any(text.startswith("does not fit: parameters need") for text in wide.warnings)
    fits = hwsim.estimate(from_layers([conv(3, 8, 16)]), hwsim.load_arch("cortex-m4"))
    assert not any("does not fit" in text for text in fits.warnings)
