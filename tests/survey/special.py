"""Rows of methods that are neither a grid nor a range: pairs of tensors, channels of different widths, coders."""

from __future__ import annotations

from typing import Any

import numpy as np

from refq.compress import huffman_decode, huffman_encode, huffman_report
from refq.graph import QParams
from refq.layers.dynamic_quantize_linear import DynamicQuantizeLinear
from refq.quantizers import (
    KMeansLevels,
    Scheme,
    Uniform,
    dequantize_array,
    fake_quantize,
    xnor_convolution,
)
from refq.quantizers.learning import Moment
from refq.quantizers.omse import multiple_tensors, omse
from refq.quantizers.ranges import (
    Aciq,
)
from refq.quantizers.ranges.aciq import allocate_bits
from refq.quantizers.vectors import Vectors
from refq.testing import BinaryDot, Packing, subject_of
from tests.survey.entries import (
    LAWS,
    UNIT,
    Entry,
    Number,
    activations,
    at_bits,
    sqnr,
    weights,
)


def image() -> tuple[Any, Any]:
    """An input and the filters of a convolution."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((1, 8, 8, 32)).astype(np.float32), rng.standard_normal((8, 3, 3, 32)).astype(np.float32)


def xnor() -> Entry:
    """The convolution of XNOR-Net with its map K, against the real one."""

    def measure() -> Number:
        x, w = image()
        windows = np.lib.stride_tricks.sliding_window_view(x[0], (3, 3), axis=(0, 1))
        exact = np.einsum("yxchw,ohwc->yxo", windows, w)
        return sqnr(exact, xnor_convolution(x, w)[0], "{:.1f} dB of the sums")

    def dot(a: Any, b: Any) -> int:
        shape = (1, 1, 1, len(a))
        return int(xnor_convolution(np.reshape(a, shape), np.reshape(b, shape))[0, 0, 0, 0])

    return Entry(
        section="IV-E",
        method="XNOR-Net convolution: binary input, map K of its scales",
        module="refq.quantizers.xnor",
        subjects=lambda: (BinaryDot(dot=dot, name="xnor convolution"),),
        measure=measure,
        tests=(
            UNIT + "sign_products.py::test_the_xnor_convolution_is_its_definition",
            "unit/transforms/test_sign_inputs.py::test_scaled_signs_are_the_convolution_of_xnor_net",
        ),
    )


def dynamic() -> Entry:
    """The range of each input at run time."""

    def fit() -> tuple[Any, QParams]:
        codes, scale, zero = DynamicQuantizeLinear().forward(activations())
        return codes, QParams(scale=scale, zero_point=int(zero), bits=8, signed=False)

    return Entry(
        section="III-D",
        method="dynamic: range of every input at run time",
        module="refq.transforms.dynamic_quantize",
        subjects=lambda: (fit()[1],),
        measure=lambda: sqnr(activations(), dequantize_array(*fit()), "{:.1f} dB at 8 bits"),
        tests=("peers/test_onnxruntime_dynamic.py::test_dynamic_models_equal_onnxruntime_on_every_path",),
    )


def bit_allocation() -> Entry:
    """Channels of different widths, 4 bits on average."""

    def grids() -> list[QParams]:
        bits = allocate_bits(np.ptp(weights(), axis=1), 4, least=2)
        schemes = [Scheme(grid=Uniform(bits=int(b), symmetric=True), range=Aciq()) for b in bits]
        return [one.fit(row) for one, row in zip(schemes, weights(), strict=True)]

    def measure() -> Number:
        held = np.array([fake_quantize(row, one) for row, one in zip(weights(), grids(), strict=True)])
        return sqnr(weights(), held, "{:.1f} dB at 4 bits on average")

    return Entry(
        section="III-C",
        method="ACIQ: bits of every channel",
        module="refq.quantizers.ranges.aciq",
        subjects=lambda: (grids()[0], grids()[-1]),
        measure=measure,
        tests=(
            UNIT + "ranges.py::test_bits_follow_the_two_thirds_power_of_widths",
            UNIT + "ranges.py::test_allocated_bits_have_the_least_sum_of_noises_of_all_with_as_many_levels",
        ),
    )


def dual() -> Entry:
    """Two tensors of 4 bits where one does not suffice."""

    def measure() -> Number:
        terms = multiple_tensors(weights(), omse(), 2)
        return sqnr(
            weights(), sum(dequantize_array(codes, fitted) for fitted, codes in terms), "{:.1f} dB at 2 x 4 bits"
        )

    return Entry(
        section="III-C",
        method="OMSE: sums of several tensors",
        module="refq.quantizers.omse",
        subjects=lambda: tuple(
            subject_of(f, shape=(6, 20)) for f, _ in multiple_tensors(weights()[:6, :20], omse(), 2)
        ),
        measure=measure,
        tests=(UNIT + "ranges.py::test_theory_orders_granularities_and_grids",),
    )


def hessian() -> Entry:
    """Clusters that weigh every weight by its second derivative."""
    importance = np.linspace(0.01, 1, 144) ** 2 + np.zeros((64, 144))

    def fit() -> Any:
        return KMeansLevels(bits=4).fit(weights(), (0, 0), importance)

    return Entry(
        section="III-F",
        method="Hessian-weighted k-means levels",
        module="refq.quantizers.kmeans_levels",
        subjects=lambda: (fit(),),
        measure=lambda: sqnr(
            weights(), fit().dequantize(fit().quantize(weights())), "{:.1f} dB, weighted, at 4 bits", importance
        ),
        tests=(UNIT + "clusters.py::test_weights_pull_centroids_towards_what_matters",),
    )


def fine_tuned() -> Entry:
    """Centroids after descent on a weighted error, codes held."""
    importance = np.linspace(0.01, 1, 144) ** 2 + np.zeros((64, 144))

    def fit() -> Any:
        start = Vectors(width=4, bits=6).fit(weights())
        codes = start.quantize(weights())
        tuned = start.fine_tuned(codes, lambda w: importance * (w - weights()), rate=0.05, steps=50)
        return tuned, codes

    def measure() -> Number:
        tuned, codes = fit()
        return sqnr(weights(), tuned.dequantize(codes), "{:.1f} dB, weighted, at 1.5 bits", importance)

    return Entry(
        section="IV-F",
        method="fine-tuned centroids",
        module="refq.quantizers.vector_codebook",
        subjects=lambda: (fit()[0],),
        measure=measure,
        tests=(
            UNIT + "vectors.py::test_fine_tuning_lowers_the_loss_and_keeps_the_codes",
            UNIT + "vectors.py::test_gradients_of_centroids_are_differences_of_a_loss",
        ),
    )


def huffman() -> Entry:
    """Codes of a 4-bit grid, coded."""
    coder = Packing(
        pack=huffman_encode, unpack=lambda data, n: huffman_decode(data)[:n], bits=4, signed=True, name="huffman"
    )

    def measure() -> Number:
        _, codes = Scheme(grid=Uniform(bits=4, symmetric=True)).quantize(weights())
        return Number(value=huffman_report(codes).bits_per_code, text="{:.2f} bits a 4-bit code")

    return Entry(
        section="IV-F",
        method="Huffman coding of codes",
        module="refq.compress.huffman",
        subjects=lambda: (coder,),
        measure=measure,
        tests=(LAWS + "test_huffman_codes_come_back", "unit/compress/test_huffman.py::test_no_prefix_code_is_shorter"),
    )


def stochastic_levels(method: str, chosen: Any, data: Any, *tests: str) -> Entry:
    """One of the two levels around each real, the mean being the real."""

    def measure() -> Number:
        fitted = Scheme(grid=chosen).fit(data())
        codes = fitted.quantize_stochastic(data(), np.random.default_rng(0))
        return sqnr(data(), fitted.dequantize(codes), at_bits(fitted.bits))

    return Entry(
        section="III-H",
        method=method,
        module="refq.quantizers.levels",
        subjects=lambda: (subject_of(Scheme(grid=chosen).fit(data()), rounding="stochastic"),),
        measure=measure,
        tests=tests,
    )


def learned(section: str, method: str, rule: Any, target: Any, *tests: str, data: Any = weights) -> Entry:
    """A rule with gradients, as it starts; `target` is what its levels stand for."""

    def measure() -> Number:
        y, _, grid = rule.apply(data(), None, rule.start(data(), None), Moment())
        assert grid is not None
        return sqnr(target(data()), y, at_bits(grid.bits))

    return Entry(
        section=section,
        method=method,
        module=type(rule).__module__,
        subjects=lambda: (rule.apply(data(), None, rule.start(data(), None), Moment())[2],),
        measure=measure,
        tests=tests,
    )
