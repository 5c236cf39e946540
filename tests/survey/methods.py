"""The methods, one a row, in the order of the survey."""

from __future__ import annotations

from refq.quantizers import (
    HORQ,
    WRPN,
    ABCActivations,
    ABCWeights,
    APoT,
    ArbitraryLevels,
    Binary,
    BinaryCode,
    KMeansLevels,
    LQNets,
    PerChannel,
    PerChannelGroup,
    PerGroup,
    PerTensor,
    PowerOfTwo,
    Scheme,
    Sign,
    Ternary,
    TernaryActivation,
    TrainedTernary,
    Uniform,
    WeightedEntropy,
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
from refq.quantizers.vectors import Vectors
from tests.survey.entries import (
    LAWS,
    UNIT,
    Entry,
    activations,
    grid,
    range_of,
    scheme,
    vectors,
    weights,
)
from tests.survey.special import bit_allocation, dual, dynamic, fine_tuned, hessian, huffman, stochastic_levels, xnor

ROUNDING = LAWS + "test_uniform_grids_obey_their_laws_with_every_rounding_mode"
STOCHASTIC = LAWS + "test_stochastic_rounding_is_unbiased_and_seeded"
WIDTHS = LAWS + "test_every_grid_obeys_its_laws_at_every_width_up_to_8_bits"
LEARNED = UNIT + "ranges.py::test_learned_ranges_start_as_published_and_keep_what_is_set"
ONNX = "peers/test_onnxruntime_calibration.py::"


SYMMETRIC = Uniform(bits=4, symmetric=True)
CUT = UNIT + "overhead.py::test_seeded_stochastic_rounding_depends_on_the_index_alone_and_is_unbiased"
ORDER = UNIT + "ranges.py::test_theory_orders_granularities_and_grids"
BLOCKS = UNIT + "blocks.py::test_scales_of_blocks_equal_per_tensor_scales_of_each_block"
PARTS = LAWS + "test_every_part_of_a_tensor_is_quantized_by_its_own_grid"
EXTREME = UNIT + "extreme.py::"
CODES = UNIT + "binary_codes.py::"
POWERS = UNIT + "powers_of_two.py::"
BEST = "property/test_quantizer_orderings.py::"
SCALES = "refq.quantizers.granularity"


def methods() -> tuple[Entry, ...]:
    """Every row."""
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
        scheme("III-C", "OMSE: least squared error a kernel", omse(), ORDER, module="refq.quantizers.omse"),
        dual(),
        range_of(
            "III-D",
            "static: moving average over batches",
            MovingAverage(momentum=0.9),
            UNIT + "ranges.py::test_moving_averages_fade",
            data=activations,
        ),
        dynamic(),
        range_of("III-D", "PACT: learned clipping", Pact(), LEARNED, data=activations),
        range_of("III-D", "LSQ: learned step", Lsq(), LEARNED),
        range_of("III-D", "LSQ+: learned step and offset", LsqPlus(), LEARNED),
        range_of("III-D", "QIL: learned interval", Qil(), LEARNED),
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
        grid(
            "III-F",
            "powers of two (INQ)",
            PowerOfTwo(bits=4),
            WIDTHS,
            POWERS + "test_powers_of_two_follow_the_formula_at_every_width",
        ),
        grid(
            "III-F",
            "logarithmic (LogQuant)",
            PowerOfTwo(bits=4, domain="log"),
            WIDTHS,
            POWERS + "test_thresholds_of_powers_of_two_lie_at_one_and_a_half_or_at_the_square_root_of_two",
        ),
        grid(
            "III-F",
            "additive powers of two (APoT)",
            APoT(bits=4),
            WIDTHS,
            BEST + "test_additive_powers_of_two_err_less_than_the_best_uniform_grid_of_as_many_levels",
        ),
        grid(
            "III-F",
            "levels and thresholds of one's own",
            ArbitraryLevels(levels=(-3, -2, -1, -0.4, 0, 0.4, 1, 2), scaled=True),
            WIDTHS,
            UNIT + "clusters.py::test_levels_of_ones_own_are_used_as_given_or_scaled_to_the_least_error",
        ),
        grid(
            "III-F",
            "levels by learnable steps",
            ArbitraryLevels.from_steps(-3, (1, 1, 0.5, 0.5, 0.5, 1, 1)),
            WIDTHS,
            UNIT + "clusters.py::test_steps_add_up_to_levels",
        ),
        grid(
            "III-F",
            "binary code, greedy",
            BinaryCode(bits=3, method="greedy"),
            WIDTHS,
            CODES + "test_greedy_follows_the_residuals",
        ),
        grid(
            "III-F",
            "binary code, refined",
            BinaryCode(bits=3, method="refined"),
            WIDTHS,
            CODES + "test_the_fitted_basis_is_the_least_squares_one_for_its_own_codes",
        ),
        grid(
            "III-F",
            "binary code, alternating",
            BinaryCode(bits=3),
            WIDTHS,
            CODES + "test_alternating_is_never_worse_than_greedy",
        ),
        grid(
            "III-F",
            "LQ-Nets: learned basis",
            LQNets(bits=3),
            WIDTHS,
            BEST + "test_a_learned_basis_errs_less_than_the_best_uniform_grid_of_as_many_levels",
        ),
        grid(
            "III-F",
            "k-means levels",
            KMeansLevels(bits=4),
            WIDTHS,
            "peers/test_scikit_learn.py::test_scalar_centroids_err_as_scikit_learns_do_from_the_same_start",
        ),
        grid(
            "III-F",
            "k-means levels, optimal",
            KMeansLevels(bits=4, start="optimal"),
            WIDTHS,
            UNIT + "clusters.py::test_optimal_clusters_are_optimal_for_every_number_of_points_and_clusters",
        ),
        hessian(),
        grid(
            "III-F",
            "weighted-entropy clusters",
            WeightedEntropy(bits=4),
            WIDTHS,
            UNIT
            + "clusters.py::test_weighted_entropy_clusters_resist_every_move_of_a_boundary_and_come_close_to_the_best",
        ),
        scheme(
            "III-H",
            "stochastic rounding",
            Scheme(grid=Uniform(bits=8), rounding="stochastic"),
            STOCHASTIC,
            CUT,
            module="refq.numerics.rounding",
        ),
        stochastic_levels(
            "stochastic rounding to any levels",
            PowerOfTwo(bits=4),
            weights,
            LAWS + "test_levels_round_stochastically_without_bias",
            EXTREME + "test_stochastic_levels_are_unbiased_neighbours_whatever_the_chunks",
        ),
        stochastic_levels(
            "stochastic binary (BinaryConnect)",
            Sign(),
            weights,
            LAWS + "test_stochastic_signs_are_unbiased_inside_their_levels",
            EXTREME + "test_stochastic_signs_have_the_probability_of_the_hard_sigmoid",
        ),
        grid(
            "IV-E",
            "deterministic binary (BinaryConnect, BNN)",
            Sign(),
            WIDTHS,
            EXTREME + "test_the_sign_of_the_smallest_numbers_is_kept",
        ),
        grid(
            "IV-E",
            "binary with scale (BWN, XNOR-Net)",
            Binary(),
            EXTREME + "test_binary_levels_of_a_block_are_its_mean_magnitude",
            "property/test_binary_ternary_laws.py::test_the_scale_of_binary_weights_has_the_least_squared_error",
        ),
        xnor(),
        grid(
            "IV-E",
            "ternary weights (TWN)",
            Ternary(),
            WIDTHS,
            "property/test_binary_ternary_laws.py::test_ternary_weights_follow_the_threshold_of_the_mean_magnitude",
        ),
        grid(
            "IV-E",
            "ternary weights, optimal threshold",
            Ternary(threshold=None),
            WIDTHS,
            EXTREME + "test_the_optimal_ternary_threshold_beats_every_other",
        ),
        grid(
            "IV-E",
            "trained ternary (TTQ)",
            TrainedTernary(),
            WIDTHS,
            EXTREME + "test_trained_ternary_gradients_are_differences_of_a_loss",
        ),
        grid(
            "IV-E",
            "ternary activations (TBN)",
            TernaryActivation(),
            WIDTHS,
            EXTREME + "test_ternary_activations_have_the_threshold_of_the_paper",
        ),
        grid(
            "IV-E",
            "residual binary activations (HORQ)",
            HORQ(order=2),
            WIDTHS,
            EXTREME + "test_residual_planes_repeat_the_binarization_of_what_is_left",
        ),
        grid(
            "IV-E",
            "ABC-Net weights",
            ABCWeights(bits=3),
            WIDTHS,
            EXTREME + "test_abc_weights_are_the_least_squares_sum_of_shifted_signs",
        ),
        grid(
            "IV-E",
            "ABC-Net activations",
            ABCActivations.spread_over(3),
            WIDTHS,
            EXTREME + "test_abc_activations_clip_what_is_shifted",
            data=activations,
        ),
        grid(
            "IV-E",
            "WRPN weights, layers twice as wide",
            WRPN(bits=4),
            WIDTHS,
            EXTREME + "test_wrpn_has_the_levels_of_its_formula",
        ),
        grid(
            "IV-E",
            "WRPN activations",
            WRPN(bits=4, signed=False),
            WIDTHS,
            EXTREME + "test_wrpn_has_the_levels_of_its_formula",
            data=activations,
        ),
        vectors(
            "scalar weight sharing",
            Vectors(width=1, bits=4),
            UNIT + "vectors.py::test_scalar_centroids_are_the_means_of_their_weights",
        ),
        vectors(
            "vector quantization",
            Vectors(width=4, bits=8),
            LAWS + "test_codebooks_of_vectors_obey_their_laws",
            "peers/test_scikit_learn.py::test_vector_centroids_err_as_scikit_learns_do",
        ),
        vectors(
            "product quantization",
            Vectors(width=4, bits=5, sharing="position"),
            LAWS + "test_codebooks_of_vectors_obey_their_laws",
            "peers/test_scikit_learn.py::test_product_and_residual_codebooks_err_as_those_of_faiss",
        ),
        vectors(
            "residual (recursive) quantization",
            Vectors(width=4, bits=8, stages=2),
            LAWS + "test_residual_stages_and_padded_groups_obey_their_laws",
            BEST + "test_two_residual_stages_err_no_more_than_a_product_of_two_halves_with_as_many_bits",
        ),
        fine_tuned(),
        huffman(),
    )
