"""Corner vectors: complete, the same every time, and equal to what the package computes."""

import numpy as np
import pytest

from refq.errors import RangeError
from refq.graph import QParams
from refq.numerics import Accumulator, requantize
from refq.numerics.bit_planes import pack_bits
from refq.quantizers import quantize_array
from refq.testing import CORNER_OPS, accumulators_at, corner_vectors
from refq.testing.oracles import ORACLES
from tests.naive import fixed_point


def test_every_operation_has_vectors_that_never_change():
    for op in CORNER_OPS:
        if op.startswith("requantize") and op != "requantize-double":
            continue  # one generator serves them all
        first, again = corner_vectors(op), corner_vectors(op)
        assert first
        assert len({v.name for v in first}) == len(first)
        for a, b in zip(first, again, strict=True):
            assert a.op == op
            np.testing.assert_array_equal(a.expected, b.expected)
            assert all(np.array_equal(a.inputs[name], b.inputs[name]) for name in a.inputs)


def test_an_operation_without_vectors_is_named():
    with pytest.raises(RangeError, match="op='softmax' has no corner vectors; operations are quantize-half_even"):
        corner_vectors("softmax")


@pytest.mark.parametrize("mode", ["half_even", "half_away", "half_up", "floor", "ceil", "toward_zero"])
def test_quantization_gives_the_expected_codes(mode):
    for v in corner_vectors(f"quantize-{mode}"):
        p = v.parameters
        signed = p["qmin"] < 0
        bits = (p["qmax"] - p["qmin"]).bit_length()
        narrow = signed and p["qmin"] == -p["qmax"]
        grid = QParams(scale=p["scale"], zero_point=p["zero_point"], bits=bits, signed=signed, narrow=narrow)
        np.testing.assert_array_equal(quantize_array(v.inputs["x"], grid, mode), v.expected, err_msg=v.name)


@pytest.mark.parametrize("rule", ORACLES)
def test_requantizers_give_the_expected_codes_and_meet_a_tie_of_both_signs(rule):
    labels = set()
    for v in corner_vectors(f"requantize-{rule}"):
        p = v.parameters
        got = getattr(requantize, rule)(v.inputs["acc"], np.ldexp(float(p["multiplier"]), p["shift"] - 31))
        np.testing.assert_array_equal(np.clip(got + p["zero_point"], -128, 127), v.expected, err_msg=v.name)
        labels |= {label for label in v.labels if label.startswith("tie at")}
    assert {"tie at -0.5", "tie at 0.5", "tie at -1.5", "tie at 1.5"} <= labels


@pytest.mark.parametrize(
    "rule", [name for name in ORACLES if name in fixed_point.APPLY and name not in ("int64", "pow2")]
)
def test_the_oracles_equal_those_that_were_written_apart(rule):
    for s in (-31, -5, -1, 0, 3):
        for m in (1 << 30, (1 << 31) - 1, 1500000001):
            for _, acc in accumulators_at(rule, m, s):
                assert ORACLES[rule](acc, m, s) == fixed_point.APPLY[rule](acc, m, s)


def test_solved_accumulators_are_ties():
    for m, s in ((1 << 30, -4), (3 << 29, 0), ((1 << 30) + (1 << 20), 2)):
        ties = [acc for name, acc in accumulators_at("single", m, s) if name.startswith("tie")]
        assert ties
        for acc in ties:
            assert (2 * acc * m) % 2 ** (31 - s) == 0
            assert (acc * m) % 2 ** (31 - s) != 0


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_registers_hold_the_expected_sums(overflow):
    for v in corner_vectors(f"accumulate-{overflow}"):
        register = Accumulator(bits=v.parameters["bits"], overflow=overflow, order="sequential")
        assert register.add_up(v.inputs["start"], list(v.inputs["terms"])) == v.expected, v.name


def test_matrix_products_expand_their_zero_points():
    for v in corner_vectors("matmul"):
        a, b = (v.inputs[k].astype(np.int64) - v.parameters[f"{k}_zero"] for k in "ab")
        np.testing.assert_array_equal(a @ b, v.expected, err_msg=v.name)


def test_convolutions_are_products_of_windows():
    from refq.graph import Node
    from refq.layers import layer_for

    for v in corner_vectors("conv2d"):
        p, x, w = v.parameters, v.inputs["x"].astype(np.float64), v.inputs["w"].astype(np.float64)
        pad = ((p["padding"],) * 2,) * 2
        padded = np.pad(x - p["x_zero"], ((0, 0), *pad, (0, 0)))
        attrs = {"strides": (p["stride"],) * 2, "dilation": (p["dilation"],) * 2}
        layer = layer_for(Node(op="Conv2D", name="c", inputs=(), outputs=(), attrs=attrs))
        np.testing.assert_array_equal(layer.forward(padded, w, None), v.expected, err_msg=v.name)


def test_packed_bytes_are_those_of_bit_planes_and_of_nibbles():
    for v in corner_vectors("pack-1"):
        planes = pack_bits(v.inputs["codes"].astype(np.int64)).planes.view(np.uint8).ravel()
        np.testing.assert_array_equal(planes[: len(v.expected)], v.expected)
    for v in corner_vectors("pack-4"):
        codes = np.append(v.inputs["codes"], 0).astype(np.int64) & 15
        pairs = codes[: 2 * len(v.expected)].reshape(-1, 2)
        np.testing.assert_array_equal(pairs[:, 0] | pairs[:, 1] << 4, v.expected)


def test_importing_the_package_does_not_import_hypothesis():
    import subprocess
    import sys

    code = "import sys, refq, refq.quantizers, refq.numerics, refq.layers; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
