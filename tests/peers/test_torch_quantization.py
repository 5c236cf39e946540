"""Uniform grids, granularities and ranges against torch: fake quantization, quantized tensors, observers.

torch multiplies by 1 / scale where ONNX and refq divide; both round half to even. Codes differ where that decides.
"""

import numpy as np
import pytest

from refq.graph import QParams
from refq.quantizers import PerChannel, PerTensor, Scheme, Uniform, fake_quantize, quantize_array
from refq.quantizers.ranges import MinMax, MovingAverage

torch = pytest.importorskip("torch")
observers = pytest.importorskip("torch.ao.quantization.observer")

WIDTHS = [(2, True), (4, True), (8, True), (1, False), (4, False), (8, False)]


def data(seed, count=4096):
    """Numbers inside and outside of +-1, many of them on ties and levels of power-of-two scales."""
    rng = np.random.default_rng(seed)
    near = rng.integers(-600, 600, count // 2) / 64
    return np.concatenate([near, rng.normal(scale=1.5, size=count // 2)]).astype(np.float32)


def reciprocal(x, scale, zero, low, high):
    """The rule of torch: one float32 product by the rounded reciprocal."""
    steps = np.rint(x * (np.float32(1) / scale)).astype(np.int64)
    return np.clip(steps + zero, low, high)


@pytest.mark.parametrize(("bits", "signed"), WIDTHS)
@pytest.mark.parametrize("seed", range(3))
def test_fake_quantization_a_tensor_equals_torchs_at_power_of_two_scales(bits, signed, seed):
    x = data(seed)
    for scale in (0.125, 0.25, 2.0):
        for zero in sorted({0, 1} if not signed else {-(1 << (bits - 1)), 0, (1 << (bits - 1)) - 1}):
            grid = QParams(scale=scale, zero_point=zero, bits=bits, signed=signed)
            theirs = torch.fake_quantize_per_tensor_affine(torch.from_numpy(x), scale, zero, grid.qmin, grid.qmax)
            np.testing.assert_array_equal(fake_quantize(x, grid), theirs.numpy())


@pytest.mark.parametrize(("bits", "signed"), WIDTHS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_fake_quantization_a_channel_equals_torchs_at_power_of_two_scales(bits, signed, axis):
    x = data(axis)[:480].reshape(6, 5, 16)
    rng = np.random.default_rng(axis)
    plain = QParams(scale=1, zero_point=0, bits=bits, signed=signed)
    scale = 2.0 ** rng.integers(-4, 2, x.shape[axis])
    zero = rng.integers(plain.qmin, plain.qmax + 1, x.shape[axis])
    grid = QParams(scale=scale, zero_point=zero, axis=axis, bits=bits, signed=signed)
    theirs = torch.fake_quantize_per_channel_affine(
        torch.from_numpy(x), torch.tensor(grid.scale), torch.tensor(grid.zero_point), axis, grid.qmin, grid.qmax
    )
    np.testing.assert_array_equal(fake_quantize(x, grid), theirs.numpy())


@pytest.mark.parametrize("granularity", [PerTensor(), PerChannel(0)], ids=str)
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_at_other_scales_codes_differ_only_where_the_reciprocal_decides(granularity, symmetric, seed):
    x = data(seed).reshape(8, -1)
    grid = Scheme(grid=Uniform(symmetric=symmetric), granularity=granularity).fit(x)
    scale, zero = (grid.along(v, 2) if grid.axis is not None else v for v in (grid.scale, grid.zero_point))
    x.reshape(-1)[:64] = (np.arange(64) - 31.5).astype(np.float32) * grid.scale.reshape(-1)[0]
    tensor, low, high = torch.from_numpy(x), grid.qmin, grid.qmax
    if grid.axis is None:
        theirs = torch.fake_quantize_per_tensor_affine(tensor, float(scale), int(zero), low, high).numpy()
    else:
        scales, zeros = torch.tensor(grid.scale), torch.tensor(grid.zero_point)
        theirs = torch.fake_quantize_per_channel_affine(tensor, scales, zeros, 0, low, high).numpy()
    rule = reciprocal(x, scale, zero, low, high)
    np.testing.assert_array_equal((rule - zero).astype(np.float32) * scale, theirs)
    ours = quantize_array(x, grid).astype(np.int64)
    differs = ours != rule
    steps = x.astype(np.float64) / scale
    from_tie = np.abs(steps - np.floor(steps) - 0.5)
    assert np.all(from_tie[differs] <= 2.0**-22 * np.abs(steps[differs]))
    assert np.all(np.abs(ours - rule) <= 1)


def test_there_are_reals_at_which_dividing_and_multiplying_by_the_reciprocal_disagree():
    scale = np.float32(1 / 49)
    x = (np.arange(-128, 127, dtype=np.float32) + np.float32(0.5)) * scale
    theirs = torch.fake_quantize_per_tensor_affine(torch.from_numpy(x), float(scale), 0, -128, 127).numpy()
    assert np.any(fake_quantize(x, QParams(scale=scale)) != theirs)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("seed", range(3))
def test_quantized_tensors_round_after_the_zero_point_was_added(seed):
    """Ties are even codes there and even steps here: the same at even zero points, and off the ties."""
    x = data(seed).reshape(16, -1)
    for zero in (-128, -5, 6, 127):
        held = torch.quantize_per_tensor(torch.from_numpy(x), 0.0625, zero, torch.qint8).int_repr().numpy()
        np.testing.assert_array_equal(held, np.clip(np.rint(x / 0.0625 + zero), -128, 127))
        ours = quantize_array(x, QParams(scale=0.0625, zero_point=zero))
        is_tie = np.abs(x / 0.0625 % 1 - 0.5) < 1e-12
        same = np.ones_like(is_tie) if zero % 2 == 0 else ~is_tie
        np.testing.assert_array_equal(ours[same], held[same])
    scales = 2.0 ** np.random.default_rng(seed).integers(-6, 0, 16)
    held = torch.quantize_per_channel(
        torch.from_numpy(x), torch.from_numpy(scales), torch.zeros(16, dtype=torch.int64), 0, torch.qint8
    )
    ours = quantize_array(x, QParams(scale=scales, zero_point=np.zeros(16, int), axis=0))
    np.testing.assert_array_equal(ours, held.int_repr().numpy())


def interval(chosen, batches):
    state = None
    for batch in batches:
        state = chosen.observe(state, batch.reshape(1, -1))
    low, high = chosen.limits(state, Uniform())
    return low[0], high[0]


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("shift", [-1.0, 0.0, 5.0])
def test_minima_and_moving_averages_give_the_parameters_of_torchs_observers(symmetric, shift):
    batches = [part + np.float32(shift) for part in np.split(data(3), 8)]
    scheme = torch.per_tensor_symmetric if symmetric else torch.per_tensor_affine
    pairs = (
        (observers.MinMaxObserver(dtype=torch.qint8, qscheme=scheme), MinMax()),
        (
            observers.MovingAverageMinMaxObserver(averaging_constant=0.125, dtype=torch.qint8, qscheme=scheme),
            MovingAverage(momentum=0.875),
        ),
    )
    for theirs, ours in pairs:
        for batch in batches:
            theirs(torch.from_numpy(batch))
        scale, zero = (float(v) for v in theirs.calculate_qparams())
        # torch's symmetric grid shares the interval among all 256 codes: our full range
        found = Uniform(symmetric=symmetric, full_range=symmetric).qparams(*interval(ours, batches))
        assert float(found.scale) == pytest.approx(scale, rel=1e-6)
        assert int(found.zero_point) == int(zero)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_range_a_channel_gives_the_parameters_of_torchs_observer(axis):
    x = data(4)[:480].reshape(12, 40)
    theirs = observers.PerChannelMinMaxObserver(ch_axis=axis, dtype=torch.qint8, qscheme=torch.per_channel_affine)
    theirs(torch.from_numpy(x))
    scale, zero = (v.numpy() for v in theirs.calculate_qparams())
    found = Scheme(grid=Uniform(), granularity=PerChannel(axis)).fit(x)
    np.testing.assert_allclose(found.scale, scale, rtol=1e-6)
    np.testing.assert_array_equal(found.zero_point, zero)
