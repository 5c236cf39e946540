"""The integer products: every route equals Python integers, wrapped to int32."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import refq
from refq.errors import RangeError, ShapeError, UnsupportedError
from refq.kernels import cpu, float_product, generic_product, panel_product

ROUTES = ["numpy", "generic", *(f"native-{name}" for name in cpu.available())]
ROW_TYPES, COLUMN_TYPES = ("int8", "uint8", "int16"), ("int8", "uint8")
SIZES = st.one_of(st.integers(0, 20), st.sampled_from([63, 64, 65, 127, 130, 200]))

needs_compiler = pytest.mark.skipif(
    not cpu.has_instructions(), reason="NUMBA_DISABLE_JIT: too many steps, or sums that wrap, for Python"
)
pytestmark = pytest.mark.filterwarnings("ignore:compiled kernels cannot be kept:RuntimeWarning")


@pytest.fixture(params=ROUTES)
def on_route(request, monkeypatch):
    """A route, on which every product is worth its threads."""
    monkeypatch.setattr(panel_product, "WORTH_A_THREAD", 1)
    monkeypatch.setenv(cpu.VARIABLE, request.param)
    return request.param


def wrapped(total: int) -> int:
    return (total + 2**31) % 2**32 - 2**31


def naive(a: np.ndarray, b: np.ndarray) -> list[list[int]]:
    """The definition, in Python integers."""
    rows, columns = a.tolist(), b.T.tolist()
    return [[wrapped(sum(x * y for x, y in zip(row, column, strict=True))) for column in columns] for row in rows]


def codes(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Codes of the whole range; a third of the matrices are made of its two ends only."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    if rng.integers(3) == 0:
        return rng.choice(np.array([low, high], dtype), shape)
    return rng.integers(low, high, shape, dtype, endpoint=True)


def laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    """The same matrix in other strides."""
    if layout == "fortran":
        return np.asfortranarray(x)
    if layout == "every second":
        wide = np.zeros((2 * x.shape[0], 2 * x.shape[1]), x.dtype)
        wide[::2, ::2] = x
        return wide[::2, ::2]
    if layout == "reversed":
        return np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    if layout == "read-only":
        x = x.copy()
        x.flags.writeable = False
    return x


LAYOUTS = st.sampled_from(["plain", "fortran", "every second", "reversed", "read-only"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    m=st.integers(0, 16), n=SIZES, k=st.one_of(st.integers(0, 20), st.sampled_from([64, 65])),
    types=st.tuples(st.sampled_from(ROW_TYPES), st.sampled_from(COLUMN_TYPES)),
    layouts=st.tuples(LAYOUTS, LAYOUTS), threads=st.integers(1, 3), seed=st.integers(0, 2**32), packed=st.booleans(),
)  # fmt: skip
def test_product_is_the_sum_of_products_in_python_integers(on_route, m, n, k, types, layouts, threads, seed, packed):
    rng = np.random.default_rng(seed)
    a, b = (codes(rng, t, s) for t, s in zip(types, ((m, k), (k, n)), strict=True))
    right = laid_out(b, layouts[1])
    got = refq.integer_matmul(laid_out(a, layouts[0]), refq.pack_weights(right) if packed else right, threads)
    assert got.dtype == np.int32
    assert got.shape == (m, n)
    assert got.tolist() == naive(a, b)


@needs_compiler
@pytest.mark.parametrize("types", [(a, b) for a in ROW_TYPES for b in COLUMN_TYPES], ids="x".join)
@pytest.mark.parametrize(
    "shape", [(400, 200, 1100), (193, 65, 2051), (3, 700, 4097), (1, 1000, 517), (780, 16, 40)], ids=str
)
def test_blocks_and_their_tails_and_threads_add_up(on_route, types, shape):
    """Shapes beyond every block of rows and of K; the expected sums are NumPy's int64."""
    m, n, k = shape
    rng = np.random.default_rng(m)
    a, b = codes(rng, types[0], (m, k)), codes(rng, types[1], (k, n))
    want = (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64).astype(np.int32)
    packed = refq.pack_weights(b)
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(refq.integer_matmul(a, packed, threads), want)


@needs_compiler
@pytest.mark.parametrize(
    ("row", "column", "terms"),
    [
        (np.int8(-128), np.int8(-128), 131_071),
        (np.int8(-128), np.int8(-128), 131_072),
        (np.uint8(255), np.uint8(255), 33_026),
        (np.int16(-32768), np.int8(-128), 512),
        (np.int16(-32768), np.uint8(255), 1000),
    ],
)
def test_sums_wrap_at_32_bits_and_not_before(on_route, row, column, terms):
    a, b = np.full((2, terms), row), np.full((terms, 3), column)
    want = wrapped(int(row) * int(column) * terms)
    assert refq.integer_matmul(a, b).tolist() == [[want] * 3] * 2


def test_two_byte_products_do_not_saturate_at_16_bits(on_route):
    """255 * 127 + 255 * 127 = 64770 is more than VPMADDUBSW returns."""
    a, b = np.full((7, 8), 255, np.uint8), np.full((8, 70), 127, np.int8)
    assert (refq.integer_matmul(a, b) == 8 * 255 * 127).all()


def test_packed_weights_do_not_follow_their_source(on_route):
    b = np.ones((8, 70), np.int8)
    packed = refq.pack_weights(b)
    b[:] = 5
    assert (refq.integer_matmul(np.ones((3, 8), np.int16), packed) == 8).all()


def test_big_endian_rows_are_read_as_numbers(on_route):
    a = np.array([[256, -3]], ">i2")
    assert refq.integer_matmul(a, np.array([[1], [2]], np.int8)).tolist() == [[250]]


def test_results_are_the_callers_own(on_route):
    c = refq.integer_matmul(np.ones((5, 4), np.int8), np.ones((4, 70), np.int8))
    assert c.flags.c_contiguous
    assert c.flags.owndata
    assert c.flags.writeable


def test_plain_loops_mean_the_same_uncompiled():
    a, b = np.array([[-128, 5, 7, 1, 2]], np.int8), np.arange(-5, 5, dtype=np.int8).reshape(5, 2)
    for compute, right in ((generic_product.product, np.ascontiguousarray(b.T)), (generic_product.product_of_few, b)):
        for function in (compute, compute.py_func):
            c = np.empty((1, 2), np.int32)
            function(a, right, c)
            assert c.tolist() == naive(a, b)


def test_float32_chunks_are_as_long_as_exactness_allows():
    """128 * 128 * 1024 = 2**24; 255 * 128 * 514 < 2**24 <= 255 * 128 * 515."""
    int8, uint8 = np.dtype("int8"), np.dtype("uint8")
    assert float_product.terms_below(int8, int8) == 1024
    assert float_product.terms_below(uint8, int8) == 514


def test_wrong_operands_are_named():
    a, b = np.ones((2, 3), np.int8), np.ones((3, 4), np.int8)
    with pytest.raises(UnsupportedError, match="a has type float64, integer_matmul takes int8, uint8, int16; cast it"):
        refq.integer_matmul(a.astype(float), b)
    with pytest.raises(UnsupportedError, match="b has type int16, integer_matmul takes int8, uint8; cast it"):
        refq.pack_weights(b.astype(np.int16))
    with pytest.raises(ShapeError, match=r"b has shape \(3, 4, 1\), integer_matmul takes matrices"):
        refq.integer_matmul(a, b[..., None])
    with pytest.raises(ShapeError, match=r"a of shape \(3, 2\) has 2 columns, b of shape \(3, 4\) has 3 rows"):
        refq.integer_matmul(a.T, b)
    with pytest.raises(RangeError, match="threads=0 must be at least 1"):
        refq.integer_matmul(a, b, threads=0)


def test_unknown_kernels_are_refused_by_name(monkeypatch):
    monkeypatch.setenv(cpu.VARIABLE, "nativ")
    with pytest.raises(UnsupportedError, match="REFQ_KERNELS='nativ' names no kernels; use one of numpy, generic, nat"):
        refq.integer_matmul(np.ones((1, 1), np.int8), np.ones((1, 1), np.int8))


def test_an_instruction_set_the_processor_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(cpu, "available", lambda: ("avx2",))
    monkeypatch.setenv(cpu.VARIABLE, "native-avx512vnni")
    cpu._route.cache_clear()
    try:
        with pytest.raises(UnsupportedError, match="needs avx512vnni and avx512bw, this processor has avx2"):
            cpu.route()
    finally:
        cpu._route.cache_clear()


def test_native_is_the_best_instruction_set_and_generic_without_any(monkeypatch):
    monkeypatch.setenv(cpu.VARIABLE, "native")
    for have, want in ((("avxvnni", "avx2"), "avxvnni"), ((), "generic")):
        monkeypatch.setattr(cpu, "available", lambda have=have: have)
        cpu._route.cache_clear()
        assert cpu.route() == want
    cpu._route.cache_clear()


PRODUCT = """
import warnings
with warnings.catch_warnings(record=True) as notices:
    warnings.simplefilter("always")
    import numpy as np, refq
    for dtype in ("int8", "int16"):
        c = refq.integer_matmul(np.full((3, 9), -128, dtype), np.full((9, 70), -128, np.int8))
        assert (c == 9 * 128 * 128).all()
print(len(notices))
"""


@pytest.mark.parametrize("place", ["a file", "/proc/nowhere"])
def test_kernels_run_where_their_machine_code_cannot_be_kept(tmp_path, place):
    """NUMBA_CACHE_DIR cannot be made, there is no home, and Numba may look nowhere else."""
    (tmp_path / "a file").write_text("")
    blocked = tmp_path / place
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    environment |= {
        cpu.VARIABLE: "generic",
        "NUMBA_CACHE_DIR": str(blocked),
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
        "PYTHONPATH": str(Path(refq.__file__).parents[1]),
    }
    done = subprocess.run([sys.executable, "-c", PRODUCT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 1


@needs_compiler
def test_machine_code_is_thrown_away_when_any_kernel_source_changes(tmp_path):
    """A copy of the package, run, changed in the file of the instructions, and run again: the second run compiles."""
    shutil.copytree(Path(refq.__file__).parent, tmp_path / "refq", ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    environment[cpu.VARIABLE] = "generic"

    def kept() -> int:
        subprocess.run([sys.executable, "-c", PRODUCT], env=environment, cwd=tmp_path, check=True, capture_output=True)
        return len(list((tmp_path / "cache").rglob("*product*.nbc")))

    first = kept()
    assert first > 0
    assert kept() == first
    with (tmp_path / "refq/kernels/intrinsics.py").open("a") as source:
        source.write("# changed\n")
    assert kept() == 2 * first
