"""The laws of `refq.testing` hold for every quantizer, requantizer and product of refq."""

from dataclasses import replace

import numpy as np
import pytest

from refq.compress import huffman_decode, huffman_encode
from refq.errors import RangeError
from refq.graph import Graph, Node, QParams, TensorSpec
from refq.interpret import node_function
from refq.numerics import ANY, LITERT, Accumulator, requantize
from refq.numerics.bit_planes import pack_bits
from refq.numerics.bit_products import binary_matmul, bit_serial_matmul
from refq.numerics.fixed_point import quantize_multiplier
from refq.numerics.lookup import code_table
from refq.numerics.matmul import exact_matmul
from refq.numerics.rounding import ROUNDING_MODES
from refq.quantizers import Bases, Levels, PerChannel, PerChannelGroup, PerGroup, Sign, Uniform
from refq.quantizers.product import train_product_codebook
from refq.quantizers.vectors import Vectors
from refq.testing import (
    BinaryDot,
    CodeTable,
    Matmul,
    MultiplierRule,
    NibbleMultiplier,
    OutputStage,
    Packing,
    Quantizer,
    laws_for,
    subject_of,
)
from refq.verify.words import WordFormat, hex_text, parse_hex
from tests.property.builtin_grids import fitted, forms, grid_classes, range_classes, range_observer

FEW = 2
GRIDS = [kind for kind in grid_classes() if kind is not Vectors]


def check_all(subject, max_examples=FEW):
    laws = laws_for(subject)
    assert laws
    for law in laws:
        law.check(max_examples)


def widths(kind, most):
    for grid in forms(kind):
        if getattr(grid, "bits", 1) <= most:
            yield fitted(grid)


def test_grids_are_found_by_looking():
    names = {kind.__name__ for kind in grid_classes()}
    assert {"Uniform", "Binary", "Ternary", "APoT", "PowerOfTwo", "LQNets", "KMeansLevels", "Vectors"} <= names


@pytest.mark.parametrize("kind", GRIDS, ids=lambda kind: kind.__name__)
def test_every_grid_obeys_its_laws_at_every_width_up_to_8_bits(kind):
    tried = 0
    for value in widths(kind, 8):
        assert 1 in {law.number for law in laws_for(value)}, "a grid of one block has the laws of a single quantizer"
        check_all(value, FEW if tried < 3 else 0)
        tried += 1
    assert tried


@pytest.mark.slow
@pytest.mark.parametrize("kind", GRIDS, ids=lambda kind: kind.__name__)
def test_every_grid_obeys_its_laws_at_every_width(kind):
    for value in widths(kind, 16):
        check_all(value, 3)


@pytest.mark.parametrize("kind", GRIDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "granularity", [PerChannel(0), PerChannelGroup(axis=0, size=2), PerGroup(axis=1, size=4)], ids=str
)
def test_every_part_of_a_tensor_is_quantized_by_its_own_grid(kind, granularity):
    shape = (3, 6)
    for grid in list(forms(kind))[:4]:
        check_all(subject_of(fitted(grid, shape, granularity), shape=shape))


@pytest.mark.parametrize("rounding", ROUNDING_MODES)
@pytest.mark.parametrize("bits", [1, 2, 4, 8, pytest.param(16, marks=pytest.mark.slow)])
def test_uniform_grids_obey_their_laws_with_every_rounding_mode(rounding, bits):
    for signed, narrow in ((True, False), (True, True), (False, False)):
        if bits == 1 and signed:
            continue
        plain = QParams(scale=0.25, bits=bits, signed=signed, narrow=narrow)
        for zero in sorted({max(0, plain.qmin), plain.qmin, plain.qmax, (plain.qmin + plain.qmax) // 2}):
            for scale in (0.25, 0.1):
                grid = QParams(scale=scale, zero_point=zero, bits=bits, signed=signed, narrow=narrow)
                check_all(subject_of(grid, rounding=rounding), 0)


@pytest.mark.parametrize("bits", range(1, 17))
def test_stochastic_rounding_is_unbiased_and_seeded(bits):
    for signed, narrow in ((True, False), (True, True), (False, False)):
        if bits == 1 and signed:
            continue
        plain = QParams(scale=0.25, zero_point=0 if signed else 1, bits=bits, signed=signed, narrow=narrow)
        for zero in (plain.qmin, (plain.qmin + plain.qmax) // 2, plain.qmax):
            grid = QParams(scale=0.25, zero_point=zero, bits=bits, signed=signed, narrow=narrow)
            check_all(subject_of(grid, rounding="stochastic"))


@pytest.mark.parametrize("kind", GRIDS, ids=lambda kind: kind.__name__)
def test_levels_round_stochastically_without_bias(kind):
    forms_of = [value for value in widths(kind, 8) if isinstance(value, Levels)]
    for value in forms_of[:12]:
        check_all(subject_of(value, rounding="stochastic"))
    assert forms_of or isinstance(next(widths(kind, 8)), Bases | QParams)


def test_stochastic_signs_are_unbiased_inside_their_levels():
    check_all(subject_of(Sign().fit(np.zeros(1), (0,)), rounding="stochastic"))
    for alpha in (0.5, 3.0):
        check_all(subject_of(Levels(levels=[-alpha, alpha]), rounding="stochastic"))


@pytest.mark.parametrize("subspaces", [1, 2])
def test_codebooks_of_vectors_obey_their_laws(subspaces):
    x = np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32)
    for count in (1, 7, 16):
        generator = np.random.default_rng(0)
        check_all(train_product_codebook(x, subspaces=subspaces, centroids=count, generator=generator))
    for grid in (Vectors(width=2, bits=3), Vectors(width=1, bits=4), Vectors(width=2, bits=2, sharing="position")):
        check_all(grid.fit(x))


@pytest.mark.parametrize("sharing", ["all", "position"])
@pytest.mark.parametrize(("width", "stages"), [(2, 2), (2, 3), (3, 1), (3, 2), (8, 1)])
def test_residual_stages_and_padded_groups_obey_their_laws(sharing, width, stages):
    x = np.random.default_rng(2).normal(size=(60, 2, 2)).astype(np.float32)
    for bits in (1, 3):
        subject = subject_of(Vectors(width=width, bits=bits, stages=stages, sharing=sharing).fit(x))
        assert "nearest of a stage" in {law.name for law in laws_for(subject)}
        check_all(subject, 10)


def test_a_grid_of_many_scales_is_no_quantizer_of_one():
    with pytest.raises(RangeError, match="a grid of 2 scales is a BlockQuantizer"):
        Quantizer.uniform(abs, abs, QParams(scale=[1, 2], axis=0))


NAMES = ["double", "single", "single_away", "int64", "dyadic", "pow2", "float32_half_even"]


@pytest.mark.parametrize("name", NAMES)
def test_requantizers_obey_their_laws(name):
    check_all(getattr(requantize, name), 20)


@pytest.mark.parametrize("name", NAMES)
def test_codes_of_a_node_saturate(name):
    rule = getattr(requantize, name)
    node = Node(op="Requantize", name="node", inputs=("x",), outputs=("y",))

    def apply(acc, m, s, zero_point, low, high):
        bits = (high - low).bit_length()
        grid = QParams(scale=1, zero_point=zero_point, bits=bits, signed=low < 0, narrow=low == -high)
        assert (grid.qmin, grid.qmax) == (low, high)
        factor = np.ldexp(float(m), s - 31)
        profile = replace(LITERT, requantize={ANY: replace(rule, factor=lambda scales, over: np.asarray(factor))})
        grids = {"x": QParams(scale=1, bits=32), "y": grid}
        specs = {n: TensorSpec(name=n, shape=acc.shape, qparams=g) for n, g in grids.items()}
        graph = Graph(name="g", nodes=(node,), tensors=specs, constants={}, inputs=("x",), outputs=("y",))
        return node_function(graph, "integer", profile)(node, [acc])[0]

    check_all(OutputStage(apply=apply, rule=name))


def test_multipliers_obey_their_law():
    check_all(MultiplierRule(split=quantize_multiplier), 200)


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_accumulators_obey_their_laws(bits, overflow):
    check_all(Accumulator(bits=bits, overflow=overflow), 20)


def test_products_obey_their_laws(monkeypatch):
    from refq import integer_matmul

    small = {"a": (-128, 127), "b": (-128, 127)}
    check_all(Matmul(multiply=exact_matmul, bits=64, **small), 10)
    check_all(Matmul(multiply=lambda a, b: exact_matmul(a, b).astype(np.int32), a=(0, 255), b=(-127, 127)), 10)
    for route in ("numpy", "generic", "native"):
        monkeypatch.setenv("REFQ_KERNELS", route)
        check_all(Matmul(multiply=lambda a, b: integer_matmul(a.astype(np.int8), b.astype(np.int8)), **small), 5)
        check_all(Matmul(multiply=lambda a, b: integer_matmul(a.astype(np.uint8), b.astype(np.int8)), a=(0, 255)), 5)
        check_all(Matmul(multiply=lambda a, b: bit_serial_matmul(a, b, 4, 2), a=(-8, 7), b=(-2, 1)), 5)
        check_all(BinaryDot(dot=lambda a, b: binary_matmul(a[None], b[:, None])[0, 0]), 20)


@pytest.mark.parametrize(("bits", "signed"), [(1, False), (2, False), (2, True), (4, False), (4, True), (8, True)])
def test_packed_codes_come_back(bits, signed):
    grid = "signed" if signed else "unsigned"
    check_all(
        Packing(
            pack=lambda codes: pack_bits(codes, grid, bits),
            unpack=lambda packed, count: packed.unpack()[0][:count],
            bits=bits,
            signed=signed,
        ),
        20,
    )


def test_packed_signs_come_back():
    check_all(Packing(pack=pack_bits, unpack=lambda p, count: p.unpack()[0][:count], bits=1, binary=True), 20)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("lanes", [1, 3, 8])
@pytest.mark.parametrize(("bits", "signed"), [(n, s) for n in (1, 2, 3, 4, 5, 8, 12, 16) for s in (True, False)])
def test_hexadecimal_memories_come_back(bits, signed, lanes, order):
    words = WordFormat(bits=bits, lanes=lanes, order=order, signed=signed)

    def unpack(text, count):
        return words.unpack(parse_hex(text, "memory", words.digits).words, count)

    check_all(
        Packing(
            pack=lambda codes: hex_text(words.pack(codes), words.digits),
            unpack=unpack,
            bits=bits,
            signed=signed,
            binary=bits == 1 and signed,
            name=f"hex of {lanes} x {bits} bits",
        ),
        3,
    )


def test_huffman_codes_come_back():
    for bits in (1, 4, 8, 12):
        check_all(
            Packing(
                pack=huffman_encode,
                unpack=lambda data, count: huffman_decode(data)[:count],
                bits=bits,
                signed=False,
                name="huffman",
            ),
            10,
        )


def test_bytes_are_products_of_nibbles():
    def multiply(x, y):
        return [bit_serial_matmul([[a]], [[b]], 5, 5)[0, 0] for a, b in zip(x, y, strict=True)]

    every = {(a, b): int(bit_serial_matmul([[a]], [[b]], 5, 5)[0, 0]) for a in range(-8, 16) for b in range(-8, 16)}
    check_all(
        NibbleMultiplier(multiply=lambda x, y: np.array([every[p] for p in zip(x.tolist(), y.tolist(), strict=True)]))
    )
    assert multiply([3], [-2]) == [-6]


@pytest.mark.parametrize("function", [np.tanh, np.exp, np.abs, lambda x: -x])
def test_tables_equal_direct_evaluation(function):
    grid, out = QParams(scale=0.05, zero_point=-3), QParams(scale=0.03, zero_point=5)

    def direct(code):
        real = np.float32(code - int(grid.zero_point)) * grid.scale
        steps = np.float64(np.float32(function(real) * (np.float32(1) / out.scale)))
        return int(np.clip(np.copysign(np.floor(abs(steps) + 0.5), steps) + int(out.zero_point), -128, 127))

    rises = {np.tanh: True, np.exp: True, np.abs: None}.get(function, False)
    check_all(CodeTable(table=code_table(function, grid, out), direct=direct, increasing=rises))


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("kind", range_classes(), ids=lambda kind: kind.__name__)
def test_observed_ranges_scale_and_merge(kind, symmetric):
    check_all(range_observer(kind(), Uniform(bits=4, symmetric=symmetric)), 5)


def test_uniform_grids_cover_the_range_they_were_made_for():
    for bits in range(2, 17):
        grid = Uniform(bits=bits).qparams(-1.0, 2.0)
        assert float(grid.scale) * (grid.qmin - int(grid.zero_point)) <= -1.0 + float(grid.scale)
        assert float(grid.scale) * (grid.qmax - int(grid.zero_point)) >= 2.0 - float(grid.scale)
