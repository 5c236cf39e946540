"""Vector, product and residual quantization against loops over Python numbers."""

import numpy as np
import pytest

from refq.errors import CalibrationError, RangeError, ShapeError
from refq.quantizers.vector_codebook import VectorCodebook
from refq.quantizers.vectors import Vectors

RNG = np.random.default_rng(7)
CASES = [
    ((6, 8), 4, 1, "all"),
    ((6, 8), 4, 2, "position"),
    ((5, 3, 3, 2), 4, 3, "all"),
    ((5, 7), 3, 1, "position"),
    ((9, 5), 1, 1, "all"),
    ((4,), 1, 2, "all"),
]


def naive_decode(table, codes, tail, width, sharing):
    """The sum of the named centroids, group by group."""
    outputs, positions, stages = codes.shape
    flat = np.zeros((outputs, positions * width))
    for o in range(outputs):
        for s in range(positions):
            for r in range(stages):
                for i in range(width):
                    flat[o, s * width + i] += float(table[s if sharing == "position" else 0, r, codes[o, s, r], i])
    return flat[:, : int(np.prod(tail))].reshape(outputs, *tail)


def naive_encode(table, x, width, sharing):
    """The nearest centroid, stage by stage."""
    flat = x.reshape(len(x), -1).astype(float).tolist()
    positions = -(-len(flat[0]) // width)
    codes = np.zeros((len(flat), positions, table.shape[1]), int)
    for o, row in enumerate(flat):
        row = row + [0.0] * (positions * width - len(row))
        for s in range(positions):
            left = row[s * width : (s + 1) * width]
            for r in range(table.shape[1]):
                book = table[s if sharing == "position" else 0, r].astype(float).tolist()
                far = [sum((a - b) ** 2 for a, b in zip(left, c, strict=True)) for c in book]
                codes[o, s, r] = far.index(min(far))
                left = [a - b for a, b in zip(left, book[codes[o, s, r]], strict=True)]
    return codes


@pytest.mark.parametrize(("shape", "width", "stages", "sharing"), CASES)
def test_codes_name_the_nearest_centroids_and_decode_to_their_sum(shape, width, stages, sharing):
    x = RNG.normal(size=shape).astype(np.float32)
    positions = -(-int(np.prod(shape[1:])) // width)
    table = RNG.normal(size=(positions if sharing == "position" else 1, stages, 5, width)).astype(np.float32)
    fitted = VectorCodebook(centroids=table, tail=shape[1:], sharing=sharing)
    codes = fitted.quantize(x)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, naive_encode(table, x, width, sharing))
    np.testing.assert_allclose(
        fitted.dequantize(codes), naive_decode(table, codes, shape[1:], width, sharing), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(("shape", "width", "stages", "sharing"), CASES)
@pytest.mark.parametrize("bits", [1, 2, 8, 16])
def test_any_width_of_code_fits_and_enough_centroids_are_exact(shape, width, stages, sharing, bits):
    x = RNG.normal(size=shape).astype(np.float32)
    fitted = Vectors(width=width, bits=bits, stages=stages, sharing=sharing).fit(x, (0,) * len(shape))
    y = fitted.dequantize(fitted.quantize(x))
    assert y.shape == shape
    if bits >= 8:
        np.testing.assert_allclose(y, x, atol=1e-4)
    assert fitted.bits <= bits


@pytest.mark.parametrize("sharing", ["all", "position"])
def test_every_further_stage_lowers_the_error(sharing):
    x = RNG.laplace(size=(64, 32)).astype(np.float32)
    errors = []
    for stages in range(1, 5):
        fitted = Vectors(width=4, bits=3, stages=stages, sharing=sharing).fit(x)
        errors.append(float(((x - fitted.dequantize(fitted.quantize(x))) ** 2).sum()))
        assert fitted.bits_per_weight == 3 * stages / 4
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.7 * errors[0]


def test_the_first_stage_does_not_depend_on_those_behind_it():
    x = RNG.normal(size=(40, 8)).astype(np.float32)
    one, two = (Vectors(width=8, bits=3, stages=s).fit(x) for s in (1, 2))
    np.testing.assert_array_equal(one.centroids[:, 0], two.centroids[:, 0])


def test_scalar_centroids_are_the_means_of_their_weights():
    x = RNG.normal(size=(10, 20)).astype(np.float32)
    fitted = Vectors(width=1, bits=3, iterations=300).fit(x)
    codes = fitted.quantize(x)[:, :, 0]
    for k in range(8):
        assert float(fitted.centroids[0, 0, k, 0]) == pytest.approx(float(x[codes == k].mean()), abs=1e-5)


@pytest.mark.parametrize(("shape", "width", "stages", "sharing"), CASES)
def test_gradients_of_centroids_are_differences_of_a_loss(shape, width, stages, sharing):
    x, target = RNG.normal(size=shape), RNG.normal(size=shape)
    positions = -(-int(np.prod(shape[1:])) // width)
    table = RNG.normal(size=(positions if sharing == "position" else 1, stages, 3, width))
    fitted = VectorCodebook(centroids=table, tail=shape[1:], sharing=sharing)
    codes = fitted.quantize(x)

    def loss(values):
        return float(((naive_decode(values, codes, shape[1:], width, sharing) - target) ** 2).sum() / 2)

    table = fitted.centroids.astype(float)
    gradient = fitted.gradient(fitted.dequantize(codes) - target, codes)
    for place in list(np.ndindex(table.shape))[:: max(1, table.size // 20)]:
        up, down = table.copy(), table.copy()
        up[place] += 1e-3
        down[place] -= 1e-3
        assert gradient[place] == pytest.approx((loss(up) - loss(down)) / 2e-3, rel=1e-3, abs=1e-3)


def test_fine_tuning_lowers_the_loss_and_keeps_the_codes():
    x = RNG.normal(size=(16, 12)).astype(np.float32)
    inputs = RNG.normal(size=(50, 12))
    fitted = Vectors(width=3, bits=2, stages=2).fit(x)
    codes = fitted.quantize(x)

    def slope(w):
        return (w - x) @ (inputs.T @ inputs) / len(inputs)

    def loss(book):
        return float((((book.dequantize(codes) - x) @ inputs.T) ** 2).mean())

    tuned = fitted.fine_tuned(codes, slope, rate=0.01, steps=30)
    assert loss(tuned) < 0.98 * loss(fitted)
    assert tuned.centroids.shape == fitted.centroids.shape
    with pytest.raises(RangeError, match="rate=0"):
        fitted.fine_tuned(codes, slope, rate=0)


def test_extreme_inputs_have_codes():
    fitted = VectorCodebook(centroids=[[[[-1.0, 0], [1, 0]]]], tail=(2,))
    assert fitted.quantize([[np.nan, 0], [-0.5, np.nan]]).ravel().tolist() == [0, 0]
    with pytest.raises(RangeError, match="as far out as any centroid"):
        fitted.quantize([[np.inf, 0]])
    constant = np.full((3, 4), -2.5, np.float32)
    for grid in (Vectors(width=2), Vectors(width=3, stages=2, sharing="position")):
        book = grid.fit(constant)
        np.testing.assert_array_equal(book.dequantize(book.quantize(constant)), constant)


def test_what_cannot_be_is_refused():
    for bad in ([[]], [[np.nan]], [[np.inf]]):
        with pytest.raises(CalibrationError, match="no finite values"):
            Vectors().fit(np.array(bad))
    with pytest.raises(RangeError, match=r"block=\(1, 0\) must leave every axis whole"):
        Vectors().fit(np.ones((2, 2)), (1, 0))
    with pytest.raises(ShapeError, match="a scalar"):
        Vectors().fit(np.float32(1))
    for bad in (
        {"bits": 0},
        {"bits": 17},
        {"width": 0},
        {"stages": 0},
        {"iterations": 0},
        {"sharing": "some"},
        {"start": "x"},
    ):
        with pytest.raises(RangeError, match=f"{next(iter(bad))}="):
            Vectors(**bad)
    fitted = VectorCodebook(centroids=np.zeros((1, 1, 2, 2)), tail=(4,))
    for codes, error, text in (
        (np.full((1, 2, 1), 2), RangeError, r"must lie in 0\.\.1"),
        (np.zeros((1, 3, 1), int), ShapeError, r"must be \(outputs, 2, 1\)"),
    ):
        with pytest.raises(error, match=text):
            fitted.dequantize(codes)
    with pytest.raises(ShapeError, match="a tensor of shape"):
        fitted.quantize(np.zeros((1, 5)))
    with pytest.raises(ShapeError, match="do not fit 2 positions"):
        VectorCodebook(centroids=np.zeros((3, 1, 2, 2)), tail=(4,), sharing="position")
    with pytest.raises(ShapeError, match="must be"):
        VectorCodebook(centroids=np.zeros((1, 2, 2)), tail=(4,))
    with pytest.raises(RangeError, match="finite"):
        VectorCodebook(centroids=np.full((1, 1, 1, 1), np.nan), tail=(1,))
