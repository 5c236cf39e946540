"""Integer products against onnxruntime, torch and NumPy, in the same process.

One-thread times are processor times of the calling thread, of every second call, alternating between the tools, so that
other processes disturb all of them alike; ratios are medians of the ratios of neighbours. Two threads are timed by the
clock on the wall and mean something on an idle machine only. 1 GOPS = 1e9 multiplications and additions in a second.
"""

import statistics
import time

import numpy as np
import pytest

import refq
from refq.kernels import cpu
from tests.bench import matmul_peers as peers

SHAPES = [(256, 256, 256), (1024, 1024, 1024), (2048, 2048, 2048), (3136, 64, 576), (1, 1000, 2048)]
"""M, N, K."""

needs_dot_products = pytest.mark.skipif("avx512vnni" not in cpu.available(), reason="needs AVX512-VNNI")


def times(functions, clock, rounds):
    """Times of every function, one after the other, over and over: name -> list."""
    found = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            function()  # brings its own operands into the caches
            start = clock()
            function()
            found[name].append(clock() - start)
    return found


def ratio(found, faster, slower):
    """Median over the rounds of how many times `faster` is as fast as `slower`."""
    return statistics.median(s / f for f, s in zip(found[faster], found[slower], strict=True))


def rounds_of(m, n, k):
    return 9 if m * n * k > 1e9 else 31


def matrix(dtype, *shape):
    ends = np.iinfo(dtype)
    return np.random.default_rng(0).integers(ends.min, ends.max, shape, dtype, endpoint=True)


def show(title, shape, found):
    work = 2 * np.prod([float(size) for size in shape])
    cells = [f"{name} {work / statistics.median(t) / 1e9:.0f}" for name, t in found.items()]
    print(f"\n{title} {'x'.join(map(str, shape))} GOPS: {', '.join(cells)}", end="")


@pytest.fixture(scope="module")
def peak():
    """GOPS of VPDPBUSD alone: 24 accumulators, operands in registers."""
    from llvmlite import ir
    from numba import njit, types
    from numba.extending import intrinsic

    from refq.kernels.intrinsics import DOTS, emit_dot

    @intrinsic
    def spin(context, count):
        def emit(target, builder, _, arguments):
            vector, i64 = ir.VectorType(ir.IntType(32), 16), ir.IntType(64)
            before, loop, done = builder.block, builder.append_basic_block(), builder.append_basic_block()
            builder.branch(loop)
            builder.position_at_end(loop)
            turn, sums = builder.phi(i64), [builder.phi(vector) for _ in range(24)]
            operand = ir.Constant(vector, list(range(16)))
            added = [emit_dot(builder, DOTS[0], value, operand, operand) for value in sums]
            after = builder.add(turn, i64(1))
            turn.add_incoming(i64(0), before)
            turn.add_incoming(after, loop)
            for number, (value, new) in enumerate(zip(sums, added, strict=True)):
                value.add_incoming(ir.Constant(vector, [number] * 16), before)
                value.add_incoming(new, loop)
            builder.cbranch(builder.icmp_signed("<", after, arguments[0]), loop, done)
            builder.position_at_end(done)
            total = added[0]
            for value in added[1:]:
                total = builder.xor(total, value)
            return builder.extract_element(total, ir.IntType(32)(0))

        return types.int32(types.int64), emit

    turns = 100_000
    run = njit(lambda count: spin(count))
    found = times({"peak": lambda: run(turns)}, time.thread_time, 31)
    return 2 * 64 * 24 * turns / min(found["peak"]) / 1e9


@needs_dot_products
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_int8_against_onnxruntime_and_torch(benchmark, peak, shape):
    m, n, k = shape
    unsigned, signed, b = matrix("uint8", m, k), matrix("int8", m, k), matrix("int8", k, n)
    packed, wide = refq.pack_weights(b), signed.astype(np.int16)
    functions = {
        "u8s8": lambda: refq.integer_matmul(unsigned, packed),
        "s8s8": lambda: refq.integer_matmul(signed, packed),
        "s8s8, B not packed": lambda: refq.integer_matmul(signed, b),
        "s16s8": lambda: refq.integer_matmul(wide, packed),
        "onnxruntime u8s8": peers.onnxruntime_u8s8(unsigned, b),
    }
    np.testing.assert_array_equal(functions["u8s8"](), functions["onnxruntime u8s8"]())
    product = peers.torch_s8s8(signed, b) if m > 16 else None
    if product is not None:
        np.testing.assert_array_equal(functions["s8s8"](), product())
        functions["torch s8s8"] = product
    found = times(functions, time.thread_time, rounds_of(*shape))
    show("int8", shape, found)
    others = [name for name in found if name.split()[0] in ("onnxruntime", "torch")]
    reached = 2 * m * n * k / statistics.median(found["u8s8"]) / 1e9 / peak
    signs = ratio(found, "s8s8", "u8s8")
    against = min(ratio(found, "u8s8", other) for other in others)
    print(f"; u8s8 {reached:.0%} of the peak of {peak:.0f}; s8s8 / u8s8 {signs:.2f}; / best peer {against:.2f}")
    benchmark.pedantic(functions["s8s8"], rounds=5)
    assert against > 0.7
    assert signs > 0.7


@needs_dot_products
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_int4_against_onnxruntime(benchmark, shape):
    m, n, k = shape
    codes = np.random.default_rng(1).integers(-8, 8, (k, n)).astype(np.int8)
    scales = np.random.default_rng(2).random((k // 32, n), np.float32)
    a, packed = matrix("int8", m, k), refq.pack_int4(codes, scales, 32)
    functions = {
        "refq": lambda: refq.grouped_matmul(a, packed),
        "onnxruntime": peers.onnxruntime_int4(a.astype(np.float32), codes, scales, 32),
    }
    found = times(functions, time.thread_time, rounds_of(*shape))
    show("int4 groups of 32", shape, found)
    against = ratio(found, "refq", "onnxruntime")
    print(f"; ratio {against:.2f}")
    benchmark.pedantic(functions["refq"], rounds=5)
    assert against > 0.7


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", [name for name in cpu.available() if name != "avx512vnni"])
def test_older_instruction_sets_against_float32(benchmark, monkeypatch, name, shape):
    """NumPy takes as many threads as it likes; OPENBLAS_NUM_THREADS=1 makes the comparison fair."""
    m, n, k = shape
    monkeypatch.setenv(cpu.VARIABLE, f"native-{name}")
    a, packed = matrix("int8", m, k), refq.pack_weights(matrix("int8", k, n))
    real = np.ones((m, k), np.float32), np.ones((k, n), np.float32)
    functions = {name: lambda: refq.integer_matmul(a, packed), "NumPy float32": lambda: real[0] @ real[1]}
    found = times(functions, time.thread_time, rounds_of(*shape))
    show("int8", shape, found)
    against = ratio(found, name, "NumPy float32")
    print(f"; ratio {against:.2f}")
    benchmark.pedantic(functions[name], rounds=5)
    assert against > 0.6


@pytest.mark.parametrize("shape", [(1024, 1024, 1024), (2048, 2048, 2048), (3136, 64, 576)], ids=str)
def test_two_threads_against_one(benchmark, shape):
    m, n, k = shape
    a, packed = matrix("int8", m, k), refq.pack_weights(matrix("int8", k, n))
    functions = {f"{t} threads": lambda t=t: refq.integer_matmul(a, packed, threads=t) for t in (1, 2)}
    found = times(functions, time.perf_counter, 31)
    show("int8", shape, found)
    best = min(found["1 threads"]) / min(found["2 threads"])
    print(f"; ratio {ratio(found, '2 threads', '1 threads'):.2f}, of the best times {best:.2f}")
    benchmark.pedantic(functions["2 threads"], rounds=5)
    np.testing.assert_array_equal(functions["1 threads"](), functions["2 threads"]())
