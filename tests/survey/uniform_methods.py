"""Rows of uniform grids: sections III-B to III-E."""

from __future__ import annotations

from refq.quantizers import (
    PerChannel,
    PerChannelGroup,
    PerGroup,
    PerTensor,
    Scheme,
    Uniform,
)
from refq.quantizers.omse import omse
from refq.quantizers.ranges import (
    Aciq,
    Entropy,
    Lsq,
    LsqPlus,
    MeanSquaredError,
    MinMax,
    MovingAverage,
    Pact,
    Percentile,
    Qil,
)
from tests.survey.entries import (
    LAWS,
    UNIT,
    Entry,
    activations,
    grid,
    range_of,
    scheme,
)
from tests.survey.special import (
    bit_allocation,
    dual,
    dynamic,
)

HAND = "unit/quantizers/learning/test_learned_rules.py::"
ROUNDING = LAWS + "test_uniform_grids_obey_their_laws_with_every_rounding_mode"
WIDTHS = LAWS + "test_every_grid_obeys_its_laws_at_every_width_up_to_8_bits"
LEARNED = UNIT + "ranges.py::test_learned_ranges_start_as_published_and_keep_what_is_set"
ONNX = "peers/test_onnxruntime_calibration.py::"
SYMMETRIC = Uniform(bits=4, symmetric=True)
ORDER = UNIT + "ranges.py::test_theory_orders_granularities_and_grids"
BLOCKS = UNIT + "blocks.py::test_scales_of_blocks_equal_per_tensor_scales_of_each_block"
KERNEL = UNIT + "ranges.py::test_a_kernels_step_of_least_error_equals_brute_force_over_all_steps"
PARTS = LAWS + "test_every_part_of_a_tensor_is_quantized_by_its_own_grid"
SCALES = "refq.quantizers.granularity"


def uniform_methods() -> tuple[Entry, ...]:
    """Rows."""
    return (
        grid(
            "III-B",
            "uniform, to nearest",
            Uniform(bits=8),
            ROUNDING,
            ONNX + "test_uniform_grids_equal_onnx_quantize_and_dequantize_linear",
        ),
        scheme("III-B", "uniform, rounded down", Scheme(grid=Uniform(bits=8), rounding="floor"), ROUNDING),
        scheme("III-B", "uniform, ties away from zero", Scheme(grid=Uniform(bits=8), rounding="half_away"), ROUNDING),
        grid("III-C", "asymmetric", Uniform(bits=4), WIDTHS, ROUNDING),
        grid(
            "III-C",
            "symmetric, full range",
            Uniform(bits=4, symmetric=True, full_range=True),
            WIDTHS,
            UNIT + "ranges.py::test_the_full_range_shares_the_interval_among_all_codes",
        ),
        grid(
            "III-C",
            "symmetric, restricted range",
            Uniform(bits=4, symmetric=True, narrow=True),
            WIDTHS,
            "property/test_uniform_laws.py::test_a_symmetric_narrow_grid_mirrors_at_zero",
        ),
        range_of(
            "III-C", "minimum and maximum", MinMax(), UNIT + "ranges.py::test_merging_equals_observing_everything"
        ),
        range_of("III-C", "percentile", Percentile(percent=99.9), ONNX + "test_percentiles_equal_those_of_onnxruntime"),
        range_of(
            "III-C",
            "i-th largest value",
            Percentile(rank=5),
            UNIT + "ranges.py::test_percentiles_and_ranks_count_values",
        ),
        range_of(
            "III-C",
            "least squared error",
            MeanSquaredError(),
            UNIT + "ranges.py::test_the_least_error_range_equals_brute_force",
        ),
        range_of(
            "III-C", "entropy (KL divergence)", Entropy(), ONNX + "test_entropy_intervals_equal_those_of_onnxruntime"
        ),
        range_of(
            "III-C",
            "ACIQ: analytic clipping",
            Aciq(),
            UNIT + "ranges.py::test_published_clipping_values_and_numerical_integration_agree",
        ),
        bit_allocation(),
        scheme("III-C", "OMSE: least squared error a kernel", omse(), KERNEL, ORDER, module="refq.quantizers.omse"),
        dual(),
        range_of(
            "III-D",
            "static: moving average over batches",
            MovingAverage(momentum=0.9),
            UNIT + "ranges.py::test_moving_averages_fade",
            data=activations,
        ),
        dynamic(),
        range_of("III-D", "PACT: learned clipping", Pact(), LEARNED, HAND + "test_pact_by_hand", data=activations),
        range_of("III-D", "LSQ: learned step", Lsq(), LEARNED, HAND + "test_lsq_of_weights_by_hand"),
        range_of("III-D", "LSQ+: learned step and offset", LsqPlus(), LEARNED, HAND + "test_lsq_plus_by_hand"),
        range_of(
            "III-D",
            "QIL: learned interval",
            Qil(),
            LEARNED,
            HAND + "test_a_learned_interval_has_the_derivatives_of_its_transformer",
            "unit/transforms/test_learned_intervals.py::test_a_learned_interval_of_activations_by_hand",
        ),
        scheme("III-E", "layerwise", Scheme(grid=SYMMETRIC, granularity=PerTensor()), ORDER, module=SCALES),
        scheme(
            "III-E",
            "groupwise (Q-BERT): groups of 8 channels",
            Scheme(grid=SYMMETRIC, granularity=PerChannelGroup(size=8)),
            PARTS,
            BLOCKS,
            module=SCALES,
        ),
        scheme("III-E", "channelwise", Scheme(grid=SYMMETRIC, granularity=PerChannel(0)), PARTS, ORDER, module=SCALES),
        scheme(
            "III-E",
            "sub-channelwise: groups of 16 weights",
            Scheme(grid=SYMMETRIC, granularity=PerGroup(size=16)),
            PARTS,
            ORDER,
            module=SCALES,
        ),
    )
