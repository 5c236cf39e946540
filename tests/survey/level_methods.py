"""Rows of other grids, stochastic rounding, few bits, and codebooks: sections III-F to IV-F."""

from __future__ import annotations

from typing import Any

import numpy as np

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
    PowerOfTwo,
    Scheme,
    Sign,
    Ternary,
    TernaryActivation,
    TrainedTernary,
    Uniform,
    WeightedEntropy,
)
from refq.quantizers.learning import (
    DoReFaWeights,
    InformationRetentionWeights,
    LossAwareSignWeights,
    LossAwareTernaryWeights,
    QuantizationNoise,
    SignWeights,
    UnitActivations,
    sign_swish,
)
from refq.quantizers.vectors import Vectors
from tests.survey.entries import (
    LAWS,
    UNIT,
    Entry,
    activations,
    grid,
    scheme,
    vectors,
    weights,
)
from tests.survey.special import (
    fine_tuned,
    hessian,
    huffman,
    learned,
    stochastic_levels,
    xnor,
)

HAND = "unit/quantizers/learning/test_learned_rules.py::"
STOCHASTIC = LAWS + "test_stochastic_rounding_is_unbiased_and_seeded"
WIDTHS = LAWS + "test_every_grid_obeys_its_laws_at_every_width_up_to_8_bits"
CUT = UNIT + "overhead.py::test_seeded_stochastic_rounding_depends_on_the_index_alone_and_is_unbiased"
EXTREME = UNIT + "extreme.py::"
LOSS_AWARE = "unit/quantizers/learning/test_loss_aware_rules.py::"
FORMS = "unit/transforms/test_sign_inputs.py::"
CODES = UNIT + "binary_codes.py::"
POWERS = UNIT + "powers_of_two.py::"
BEST = "property/test_quantizer_orderings.py::"


def same(x: Any) -> Any:
    """Levels stand for the values."""
    return x


def squashed(x: Any) -> Any:
    """Levels stand for tanh(x) / max|tanh(x)|."""
    return np.tanh(x) / np.abs(np.tanh(x)).max()


def standardized(x: Any) -> Any:
    """Levels stand for deviations from the mean."""
    return (x - x.mean()) / x.std()


def level_methods() -> tuple[Entry, ...]:
    """Rows."""
    return (
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
            "unit/training/test_quantized.py::test_statistics_are_taken_anew_from_the_weights_that_are_deployed",
        ),
        learned(
            "III-H",
            "Quant-Noise: a random part quantized while training",
            QuantizationNoise(rate=0.5),
            same,
            HAND + "test_blending_ends_on_the_grid_and_noise_leaves_the_stated_part_real",
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
        learned(
            "IV-E",
            "LAB: binary weights, scale by the loss's curvature",
            LossAwareSignWeights(),
            same,
            LOSS_AWARE + "test_the_scale_of_loss_aware_signs_is_a_mean_weighted_by_curvature_by_hand",
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
        learned(
            "IV-E",
            "LAT: ternary weights, scale and support by the loss's curvature",
            LossAwareTernaryWeights(),
            same,
            LOSS_AWARE + "test_exact_loss_aware_ternary_weights_have_the_least_error_of_all_supports",
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
            HAND + "test_ternary_activations_change_at_four_tenths_of_the_mean_magnitude_by_hand",
        ),
        grid(
            "IV-E",
            "residual binary activations (HORQ)",
            HORQ(order=2),
            WIDTHS,
            EXTREME + "test_residual_planes_repeat_the_binarization_of_what_is_left",
            FORMS + "test_residual_signs_are_the_planes_of_horq_for_every_image",
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
            FORMS + "test_shifted_signs_are_the_activations_of_abc_net",
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
        learned("IV-E", "DoReFa weights", DoReFaWeights(bits=3), squashed, HAND + "test_dorefa_weights_by_hand"),
        learned(
            "IV-E",
            "DoReFa activations",
            UnitActivations(bits=4),
            same,
            HAND + "test_unit_activations_and_wrpn_weights_by_hand",
            data=activations,
        ),
        learned(
            "IV-E",
            "BNN+, Bi-Real: smoother gradients of the sign",
            SignWeights(estimator=sign_swish()),
            same,
            HAND + "test_an_estimator_is_the_derivative_of_its_smooth_sign",
        ),
        learned(
            "IV-E",
            "IR-Net: balanced, standardized signs",
            InformationRetentionWeights(),
            standardized,
            HAND + "test_information_retention_takes_mean_and_deviation_into_the_gradient",
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
