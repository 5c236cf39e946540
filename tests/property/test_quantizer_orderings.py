"""What theory says about which quantizer errs less, on Gaussian, Laplace and real weights."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import refq
from refq.quantizers.apot import APoT
from refq.quantizers.binary import Binary
from refq.quantizers.binary_code import BinaryCode
from refq.quantizers.kmeans_levels import KMeansLevels
from refq.quantizers.levels import Levels
from refq.quantizers.lq_nets import LQNets
from refq.quantizers.ternary import Ternary
from refq.quantizers.trained_ternary import TrainedTernary
from refq.quantizers.vectors import Vectors

MODELS = Path(__file__).resolve().parents[2] / "models"
NAMES = ["gaussian", "laplace", "resnet8", "ds_cnn"]


@cache
def tensors(name):
    """Weight tensors of a model, or one drawn from a distribution."""
    rng = np.random.default_rng(11)
    if name in ("gaussian", "laplace"):
        draw = rng.normal if name == "gaussian" else rng.laplace
        return [draw(size=(64, 288)).astype(np.float32)]
    graph = refq.load(MODELS / f"{name}.h5")
    weights = [graph.constants[n.inputs[1]] for n in graph.nodes if n.op in ("Conv2D", "DepthwiseConv2D", "Dense")]
    return [w for w in weights if w.size > 1000]


def error(grid, x, block=None):
    """Squared error of a grid fitted to x."""
    fitted = grid.fit(x, (0,) * x.ndim if block is None else block)
    return float(np.square((x - fitted.dequantize(fitted.quantize(x))).astype(np.float64)).sum())


def uniform_error(x, steps):
    """The least squared error of the levels s * steps, by a fine search over s."""
    wide = np.sort(x.astype(np.float64).ravel())
    totals = np.concatenate([[0.0], np.cumsum(wide)])
    best = np.inf
    for scale in np.linspace(1 / 400, 1.2, 2000) * np.abs(wide).max() / np.abs(steps).max():
        levels = scale * steps
        ends = np.concatenate([[0], np.searchsorted(wide, (levels[1:] + levels[:-1]) / 2), [len(wide)]])
        best = min(best, float((np.diff(ends) * levels**2 - 2 * np.diff(totals[ends]) * levels).sum()))
    return best + float((wide**2).sum())


@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_a_learned_basis_errs_less_than_the_best_uniform_grid_of_as_many_levels(name, bits):
    for x in tensors(name):
        steps = np.arange(-(2**bits) + 1, 2**bits, 2.0)
        assert error(LQNets(bits=bits), x) <= uniform_error(x, steps) * (1 + 1e-4)


@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_additive_powers_of_two_err_less_than_the_best_uniform_grid_of_as_many_levels(name, bits):
    # In mean over the tensors of a model. Three bits are the exception on what is nearly Gaussian: the best scale of
    # +-{0, 1, 2, 4} errs 1.5 % more there than the best of +-{0, 1, 2, 3}; both optima are integrals, tested below.
    steps = np.arange(-(2 ** (bits - 1)) + 1, 2.0 ** (bits - 1))
    ours = sum(error(APoT(bits=bits), x) / np.square(x).sum() for x in tensors(name))
    theirs = sum(uniform_error(x, steps) / np.square(x).sum() for x in tensors(name))
    assert ours <= theirs * (1.02 if bits == 3 and name != "laplace" else 1)


def test_the_least_errors_on_a_gaussian_are_integrals_over_its_density():
    at = np.linspace(-8, 8, 400001)
    density = np.exp(-(at**2) / 2) * (at[1] - at[0]) / np.sqrt(2 * np.pi)

    def best(shape):
        scales = np.linspace(0.2, 1.0, 161)
        errors = []
        for scale in scales:
            levels = scale * np.array(shape, float)
            nearest = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, at)]
            errors.append(float(((at - nearest) ** 2 * density).sum()))
        return min(errors)

    uniform, additive = best(range(-3, 4)), best([-4, -2, -1, 0, 1, 2, 4])
    assert 1.01 < additive / uniform < 1.02
    x = tensors("gaussian")[0]
    assert error(APoT(bits=3), x) / x.size == pytest.approx(additive, rel=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_optimal_clusters_err_less_than_every_other_levels_of_as_many_codes(name):
    for x in tensors(name):
        for bits in (3, 4):
            best = error(KMeansLevels(bits=bits, start="optimal"), x)
            for grid in (APoT(bits=bits), LQNets(bits=bits), BinaryCode(bits=bits), KMeansLevels(bits=bits)):
                assert best <= error(grid, x) * 1.00001


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_alternating_codes_err_no_more_than_greedy_ones(name, bits):
    for x in tensors(name):
        greedy = error(BinaryCode(bits=bits, method="greedy"), x)
        assert error(BinaryCode(bits=bits), x) <= greedy * (1 + 1e-6)
        assert error(BinaryCode(bits=bits, method="refined"), x) <= greedy * (1 + 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_every_freedom_of_a_ternary_grid_lowers_the_error(name):
    for x in tensors(name):
        free, optimal, fixed, binary = (
            error(grid, x) for grid in (TrainedTernary(threshold=None), Ternary(threshold=None), Ternary(), Binary())
        )
        assert free <= optimal * (1 + 1e-6)
        assert optimal <= fixed * (1 + 1e-6)
        assert optimal <= binary * (1 + 1e-6)


@pytest.mark.parametrize("grid", [Binary(), Ternary(threshold=None), BinaryCode(bits=2, method="greedy"), APoT(bits=4)])
@pytest.mark.parametrize("name", NAMES)
def test_levels_of_their_own_for_every_channel_lower_the_error(name, grid):
    for x in tensors(name):
        per_channel = (1,) + (0,) * (x.ndim - 1)
        slack = 1.05 if isinstance(grid, BinaryCode) else 1.001  # greedy is no optimum
        assert error(grid, x, per_channel) <= error(grid, x) * slack


@pytest.mark.parametrize("sharing", ["all", "position"])
@pytest.mark.parametrize("name", NAMES)
def test_two_residual_stages_err_no_more_than_a_product_of_two_halves_with_as_many_bits(name, sharing):
    for x in tensors(name)[:3]:
        for width, bits in ((2, 4), (4, 4)):
            if sharing == "position" and len(x) <= 16:
                continue  # every output has a centroid of its own
            product = error(Vectors(width=width, bits=bits, sharing=sharing), x)
            residual = error(Vectors(width=2 * width, bits=bits, stages=2, sharing=sharing, start="best"), x)
            assert residual <= product * 1.02


@pytest.mark.parametrize("name", NAMES)
def test_further_stages_and_larger_books_lower_the_error(name):
    for x in tensors(name)[:3]:
        errors = [error(Vectors(width=4, bits=3, stages=s), x) for s in (1, 2, 3)]
        assert errors == sorted(errors, reverse=True)
        errors = [error(Vectors(width=4, bits=b), x) for b in (2, 4, 6)]
        assert errors == sorted(errors, reverse=True)


def test_a_grid_that_ignores_the_data_loses():
    x = tensors("gaussian")[0]
    poor = Levels(levels=np.linspace(-8, 8, 8))
    assert np.square(x - poor.dequantize(poor.quantize(x))).sum() > 2 * error(LQNets(bits=3), x)
