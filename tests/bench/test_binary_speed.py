"""Products of bit planes against the 8-bit product and NumPy's float32 product, one thread, same shapes, same run.

Processor time is compared, not wall time: the ratio stays meaningful on a busy machine.
"""

import time

import numpy as np
import pytest

import refq.kernels.matmul as int8
from refq.numerics.bit_planes import pack_bits
from refq.numerics.bit_products import packed_matmul

SHAPES = [(256, 256, 256), (1024, 1024, 1024), (2048, 2048, 2048), (3136, 64, 576), (1, 1000, 2048)]


def median_seconds(call, rounds=15):
    """Median processor time of a call; short calls are repeated until a round lasts 2 ms."""
    call()
    start = time.process_time()
    call()
    repeats = max(1, int(2e-3 / max(time.process_time() - start, 1e-6)))
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(repeats):
            call()
        taken.append((time.process_time() - start) / repeats)
    return sorted(taken)[rounds // 2]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_binary_product(benchmark, shape):
    m, n, k = shape
    rng = np.random.default_rng(0)
    a, b = rng.choice(np.array([-1, 1], np.int8), (m, k)), rng.choice(np.array([-1, 1], np.int8), (n, k))
    weights, bits = int8.pack_weights(b.T), pack_bits(b)
    packed = pack_bits(a)
    expected = int8.integer_matmul(a, weights)
    assert np.array_equal(packed_matmul(packed, bits), expected)
    seconds = {
        "int8": median_seconds(lambda: int8.integer_matmul(a, weights)),
        "binary, packed rows": median_seconds(lambda: packed_matmul(packed, bits)),
        "binary, rows packed each time": median_seconds(lambda: packed_matmul(pack_bits(a), bits)),
    }
    for grid, width in (("ternary", 1), ("signed", 2), ("signed", 3), ("signed", 4)):
        left, right = pack_bits(a, "ternary"), pack_bits(b, "ternary")
        if grid == "signed":
            left, right = (pack_bits(np.minimum(x, 0) + (width > 1), grid, width) for x in (a, b))
        name = grid if grid == "ternary" else f"{width} x {width} bits"
        seconds[name] = median_seconds(lambda left=left, right=right: packed_matmul(left, right))
    benchmark.pedantic(lambda: packed_matmul(packed, bits), rounds=5, warmup_rounds=1)
    print(f"\n{m} x {n} x {k}")
    for name, taken in seconds.items():
        print(f"  {name:30} {2 * m * n * k / taken / 1e9:6.0f} GOPS, {seconds['int8'] / taken:5.2f} x int8")
    if m > 64:
        assert seconds["binary, packed rows"] < seconds["int8"]
