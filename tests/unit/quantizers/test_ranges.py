"""Ranges against formulas, brute force and the orderings theory demands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refq
from refq.errors import CalibrationError, LoadError, RangeError, ShapeError
from refq.quantizers import PerChannel, PerGroup, PerTensor, Scheme, Uniform, fake_quantize, find_recipe
from refq.quantizers.omse import multiple_tensors, omse
from refq.quantizers.ranges import (
    RANGES,
    Aciq,
    Lsq,
    LsqPlus,
    MeanSquaredError,
    MinMax,
    MovingAverage,
    Pact,
    Percentile,
    Qil,
    distribution,
    find_range,
)
from refq.quantizers.ranges.aciq import allocate_bits, best_clipping
from tests.unit.small_graphs import images, residual

SYMMETRIC = Uniform(bits=4, symmetric=True)
ASYMMETRIC = Uniform(bits=4)


def data(name, size=4000):
    rng = np.random.default_rng(5)
    made = {"gauss": rng.normal, "laplace": rng.laplace}[name](size=size)
    return made.astype(np.float32)


def error(x, scheme):
    fitted = scheme.fit(x)
    return float(((fake_quantize(x, fitted).astype(np.float64) - x) ** 2).mean())


def limits(range_, x, grid):
    low, high = range_.limits(range_.observe(None, np.atleast_2d(x)), grid)
    return float(low[0]), float(high[0])


@pytest.mark.parametrize("kind", ["gauss", "laplace"])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_the_least_error_range_equals_brute_force(kind, bits):
    x = data(kind, 1500)
    for symmetric in (False, True):
        grid = Uniform(bits=bits, symmetric=symmetric)
        found = error(x, Scheme(grid=grid, range=MeanSquaredError()))
        top = max(-x.min(), x.max())
        ends = [(-top * s, top * s) for s in np.linspace(0.01, 1, 800)]
        if not symmetric:
            shares = np.linspace(0.1, 1, 28)
            ends = [(x.min() * a, x.max() * b) for a in shares for b in shares]
        brute = min(float(((fake_quantize(x, grid.qparams(a, b)).astype(np.float64) - x) ** 2).mean()) for a, b in ends)
        assert found <= brute * 1.005
        assert found <= error(x, Scheme(grid=grid)) * (1 + 1e-6)


def test_theory_orders_granularities_and_grids():
    resnet = refq.load("models/resnet8.h5")
    real = [v for v in resnet.constants.values() if v.ndim == 4 and v.size > 2000]
    tensors = [data("gauss").reshape(20, 200), data("laplace").reshape(20, 200), *real[:3]]
    for x in tensors:
        for range_ in (MeanSquaredError(), MinMax()):
            by = [PerTensor(), PerChannel(0), PerGroup(axis=-1, size=16)]
            errors = [error(x, Scheme(grid=SYMMETRIC, granularity=g, range=range_)) for g in by]
            assert errors[0] >= errors[1] >= errors[2]
        assert error(x, omse()) <= error(x, Scheme(grid=SYMMETRIC, granularity=PerChannel(0))) * 1.0001
        one_sided = np.maximum(x, 0)
        for range_ in (MeanSquaredError(), MinMax()):
            assert error(one_sided, Scheme(grid=ASYMMETRIC, range=range_)) <= error(
                one_sided, Scheme(grid=SYMMETRIC, range=range_)
            )
        rests, left = [], x.astype(np.float64)
        for fitted, codes in multiple_tensors(x, omse(), 3):
            left = left - refq.quantizers.dequantize_array(codes, fitted, np.float64)
            rests.append(float((left**2).mean()))
        assert rests[0] > rests[1] > rests[2]


def test_published_clipping_values_and_numerical_integration_agree():
    published = {
        "laplace": (1.86, 2.83, 3.89, 5.03, 6.2, 7.41, 8.64, 9.89, 11.16),
        "gauss": (1.24, 1.71, 2.15, 2.55, 2.93, 3.28, 3.61, 3.92, 4.2),
    }
    for density, values in published.items():
        for bits, value in enumerate(values, 1):
            assert best_clipping(density, bits) == pytest.approx(value, abs=0.02)
    t = np.linspace(0, 40, 400_001)
    density_of = {"laplace": np.exp(-t), "gauss": np.sqrt(2 / np.pi) * np.exp(-t * t / 2)}
    for density, weight in density_of.items():  # of |x|
        for bits in (2, 4, 8):

            def noise(a, weight=weight, bits=bits):
                return np.trapezoid(weight * np.maximum(t - a, 0) ** 2, t) + a * a / (3 * 4.0**bits)

            best = best_clipping(density, bits)
            assert noise(best) <= min(noise(best * 0.98), noise(best * 1.02))


def test_clipping_of_drawn_data_follows_its_density():
    x = np.random.default_rng(0).laplace(scale=2.0, size=200_000).astype(np.float32)
    assert limits(Aciq(), x, SYMMETRIC)[1] == pytest.approx(5.03 * 2, rel=0.02)
    half = np.maximum(x, 0)
    assert limits(Aciq(), half, ASYMMETRIC) == (0.0, pytest.approx(best_clipping("laplace", 5) * 2, rel=0.02))


def test_bits_follow_the_two_thirds_power_of_widths():
    assert allocate_bits([1.0, 1.0, 1.0], 4).tolist() == [4, 4, 4]
    assert allocate_bits([1.0, 8.0], 4).tolist() == [round(np.log2(32 / 5)), round(np.log2(32 * 4 / 5))]
    assert allocate_bits([0.0, 0.0], 4).tolist() == [1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_a_fixed_mean_of_bits_is_met_from_below(seed):
    rng = np.random.default_rng(seed)
    for count, mean in ((1, 3), (2, 4), (7, 4), (64, 2.5), (100, 5)):
        widths = rng.gamma(1.0, size=count) + 1e-3
        bits = allocate_bits(widths, mean, fixed_mean=True)
        assert mean - 1 / count < bits.mean() <= mean
        assert np.all(np.diff(bits[np.argsort(widths)]) >= 0)
        level_bits = np.log2(widths ** (2 / 3))
        assert np.all(np.abs((bits - level_bits) - np.median(bits - level_bits))[(bits > 1) & (bits < 16)] <= 1 + 1e-9)
    assert allocate_bits([1.0, 0.0], 4, fixed_mean=True).tolist() == [7, 1]
    assert allocate_bits([1.0, 1.0], 4.5, fixed_mean=True).tolist() == [4, 4]
    with pytest.raises(RangeError, match="mean_bits=2 is below least=3"):
        allocate_bits([1.0], 2, least=3, fixed_mean=True)


def test_allocated_bits_have_the_least_sum_of_noises_of_all_with_as_many_levels():
    widths = np.array([0.3, 1.0, 2.5])
    exact = np.log2(3 * 2**4 * widths ** (2 / 3) / (widths ** (2 / 3)).sum())
    assert allocate_bits(widths, 4).tolist() == np.rint(exact).tolist()

    def noise(bits):
        return (widths**2 / 4.0**bits).sum()

    for a in np.linspace(2, 5, 61):  # every other real split of the same levels is noisier
        for b in np.linspace(2, 5, 61):
            left = 48 - 2**a - 2**b
            if left > 1:
                assert noise(np.array([a, b, np.log2(left)])) >= noise(exact) * (1 - 1e-12)


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("kind", ["gauss", "laplace", "equal", "lattice", "one"])
def test_a_kernels_step_of_least_error_equals_brute_force_over_all_steps(kind, bits):
    x = {
        "equal": np.array([1, 1, 1, -1, 1], np.float32),
        "lattice": np.array([0.5, 1, 1, 0.5, -0.5], np.float32),
        "one": np.array([0, 0, 0, 0.7], np.float32),
    }.get(kind)
    x = data(kind, 800) if x is None else x
    wide, top = x.astype(np.float64), float(np.abs(x).max())
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    steps = np.linspace(1e-3, 2 * top / high, 40_000 if len(x) < 10 else 4000)
    brute = min(float(((wide - s * np.clip(np.rint(wide / s), low, high)) ** 2).mean()) for s in steps)
    assert error(x.reshape(1, -1), omse(bits)) <= brute * 1.002 + 1e-9 * top**2


def test_percentiles_and_ranks_count_values():
    x = np.arange(1, 101, dtype=np.float32)
    assert limits(Percentile(percent=90), x, ASYMMETRIC) == (5.0, 95.0)
    assert limits(Percentile(percent=90), -x, SYMMETRIC) == (-90.0, 90.0)
    assert limits(Percentile(percent=100), x, ASYMMETRIC) == (1.0, 100.0)
    assert limits(Percentile(rank=3), x, ASYMMETRIC) == (3.0, 98.0)
    assert limits(Percentile(rank=3), x, SYMMETRIC) == (-98.0, 98.0)


def test_moving_averages_fade():
    state = None
    for low, high in ((-1.0, 1.0), (-3.0, 5.0), (0.0, 9.0)):
        state = MovingAverage(momentum=0.5).observe(state, np.array([[low, high]]))
    assert (state[0][0], state[1][0]) == (0.5 * (0.5 * -1 + 0.5 * -3), 0.5 * (0.5 * 1 + 0.5 * 5) + 0.5 * 9)


def test_learned_ranges_start_as_published_and_keep_what_is_set():
    x = np.array([-3.0, -1.0, 2.0, 6.0], np.float32)
    assert limits(Pact(), x, ASYMMETRIC) == (0.0, 6.0)
    assert limits(Pact(alpha=1.5), x, ASYMMETRIC) == (0.0, 1.5)
    step = 2 * 3.0 / np.sqrt(7)
    assert limits(Lsq(), x, SYMMETRIC) == pytest.approx((-7 * step, 7 * step))
    assert float(Scheme(grid=SYMMETRIC, range=Lsq(step=0.25)).fit(x).scale) == 0.25
    reach = (1.0 + 3 * x.std()) / 8
    assert limits(LsqPlus(), x, SYMMETRIC) == pytest.approx((-7 * reach, 7 * reach))
    wide = data("laplace", 300) + 1
    low, high = limits(LsqPlus(), wide, ASYMMETRIC)
    assert (low, high) == pytest.approx(limits(MeanSquaredError(), wide, ASYMMETRIC))
    assert error(wide, Scheme(grid=ASYMMETRIC, range=LsqPlus())) < 0.8 * error(wide, Scheme(grid=ASYMMETRIC))
    assert limits(LsqPlus(offset=-1.0), wide, ASYMMETRIC) == pytest.approx((-1.0, -1.0 + high - low))
    assert limits(LsqPlus(step=0.1), wide, ASYMMETRIC) == pytest.approx((low, low + 1.5))
    assert float(Scheme(grid=ASYMMETRIC, range=LsqPlus(step=0.5, offset=-1.0)).fit(x).scale) == 0.5
    assert limits(Qil(), x, SYMMETRIC) == (-6.0, 6.0)
    assert Qil(centre=2.0, distance=1.0).transform([-4.0, 0.5, 2.0]).tolist() == [-1.0, 0.0, 0.5]


def test_every_channel_may_have_a_learned_value_of_its_own():
    x = np.array([[-3.0, 1.0], [0.5, 6.0], [2.0, 2.0]], np.float32)
    rows, per = (0.25, 0.5, 2.0), PerChannel(0)
    for chosen in (Lsq(step=rows), LsqPlus(step=rows)):
        assert Scheme(grid=SYMMETRIC, granularity=per, range=chosen).fit(x).scale.tolist() == list(rows)
    found = Scheme(grid=ASYMMETRIC, granularity=per, range=LsqPlus(step=rows, offset=(-1.0, 0.0, -8.0))).fit(x)
    assert found.scale.tolist() == list(rows)
    assert (found.zero_point - found.qmin).tolist() == [4, 0, 4]
    assert Scheme(grid=ASYMMETRIC, granularity=per, range=Pact(alpha=(1.5, 3.0, 15.0))).fit(x).scale.tolist() == [
        np.float32(v / 15) for v in (1.5, 3.0, 15.0)
    ]
    qil = Qil(centre=(1.0, 2.0, 3.5), distance=(0.75, 1.0, 3.5))
    assert Scheme(grid=SYMMETRIC, granularity=per, range=qil).fit(x).scale.tolist() == [0.25, np.float32(3 / 7), 1.0]
    assert qil.transform(x).tolist() == [[-1, 0.5], [0, 1], [2 / 7, 2 / 7]]
    with pytest.raises(ShapeError, match="step has 3 values, the data have 1 rows"):
        Scheme(grid=SYMMETRIC, range=Lsq(step=rows)).fit(x)
    with pytest.raises(RangeError, match="must be positive and finite"):
        Lsq(step=(1.0, 0.0))
    with pytest.raises(RangeError, match="must not be below"):
        Qil(centre=(1.0, 1.0), distance=(1.0, 2.0))


@pytest.mark.parametrize("kept", [4, 1 << 17])
@pytest.mark.parametrize("name", [name for name in RANGES if name != "moving_average"])
@given(
    pieces=st.lists(st.lists(st.floats(-(2.0**60), 2.0**60, width=32), min_size=1, max_size=9), min_size=2, max_size=4)
)
def test_merging_equals_observing_everything(name, kept, pieces):
    range_, whole = find_range(name), np.array([v for piece in pieces for v in piece], np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distribution, "KEPT", kept)
        at_once, merged, streamed = range_.observe(None, whole[None]), None, None
        for piece in pieces:
            x = np.array([piece], np.float32)
            streamed = range_.observe(streamed, x)
            part = range_.observe(None, x)
            merged = part if merged is None else range_.merge(part, merged)
        for state in (merged, streamed):
            for name_ in ("low", "high", "values", "counts", "exponent", "zeros"):
                if hasattr(state, name_):
                    np.testing.assert_array_equal(getattr(state, name_), getattr(at_once, name_))
            low, high = MinMax().limits((state.low, state.high), ASYMMETRIC) if hasattr(state, "low") else state
            assert low[0] == whole.min()
            assert high[0] == whole.max()


@pytest.mark.parametrize("name", ["percentile:99", "mse", "entropy", "aciq"])
def test_a_histogram_gives_nearly_the_interval_of_the_values(name, monkeypatch):
    x, range_ = data("laplace", 20_000), find_range(name)
    for grid in (SYMMETRIC, ASYMMETRIC):
        exact = error(x, Scheme(grid=grid, range=range_))
        with monkeypatch.context() as patch:
            patch.setattr(distribution, "KEPT", 16)
            assert error(x, Scheme(grid=grid, range=range_)) == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("name", list(RANGES))
@pytest.mark.parametrize(
    "values", [[0.0], [1e-45, 0.0], [3.4028235e38, -3.4028235e38], [5.0, 5.0], [-2.0], [1e-40, 3e-39]]
)
@pytest.mark.parametrize("bits", [1, 2, 8, 16])
def test_degenerate_data_gives_a_usable_scale(name, values, bits):
    for grid in (Uniform(bits=bits, signed=bits > 1), *([Uniform(bits=bits, symmetric=True)] if bits > 1 else [])):
        fitted, codes = Scheme(grid=grid, range=find_range(name)).quantize(np.array(values, np.float32))
        assert np.isfinite(fitted.scale)
        assert fitted.scale > 0
        assert codes.min() >= fitted.qmin
        assert codes.max() <= fitted.qmax


@pytest.mark.parametrize("name", list(RANGES))
@pytest.mark.parametrize(
    ("values", "text"), [([], "no values"), ([1.0, np.nan], "NaN"), ([np.inf], "infinities"), (["a"], "real")]
)
def test_unusable_data_is_refused(name, values, text):
    for granularity in (PerTensor(), PerGroup(axis=-1, size=2, channel_axis=None)):
        with pytest.raises(CalibrationError, match=text):
            Scheme(range=find_range(name), granularity=granularity).fit(np.array(values))


@pytest.mark.parametrize("bits", [0, -1, 33])
def test_widths_outside_the_range_are_refused(bits):
    with pytest.raises(RangeError, match=f"bits={bits} is outside 1..32"):
        Uniform(bits=bits)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: find_range("maximum"), "range='maximum' is unknown"),
        (lambda: find_range("mse:3"), "range='mse:3' is unknown"),
        (lambda: find_range("percentile:x"), "needs a number"),
        (lambda: find_range("percentile:0"), "percent=0.0 is outside"),
        (lambda: Percentile(rank=0), "rank=0"),
        (lambda: MovingAverage(momentum=1.0), "momentum=1.0"),
        (lambda: MeanSquaredError(steps=1), "steps=1"),
        (lambda: MeanSquaredError(reach=0.5), "reach=0.5"),
        (lambda: Lsq(step=0.0), "step=0.0 must be positive"),
        (lambda: Qil(centre=1.0), "given together"),
        (lambda: Aciq(density="t"), "density='t'"),
        (lambda: Uniform(full_range=True), "full_range is of symmetric grids"),
        (lambda: Uniform().qparams(0.0, np.nan), "must be finite"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, text):
    with pytest.raises(RangeError, match=text):
        make()


def test_the_full_range_shares_the_interval_among_all_codes():
    x = np.array([-1.0, 0.25], np.float32)
    assert float(Scheme(grid=Uniform(symmetric=True, full_range=True)).fit(x).scale) == np.float32(2 / 255)
    assert float(Scheme(grid=Uniform(symmetric=True, narrow=True)).fit(x).scale) == np.float32(1 / 127)


def test_recipes_name_ranges(tmp_path):
    path = tmp_path / "clipped.toml"
    path.write_text('[activations]\nrange = "percentile:99"\n[weights]\nrange = "mse"\n')
    recipe = find_recipe(path)
    assert recipe.activations.range == Percentile(percent=99)
    assert recipe.weights.range == MeanSquaredError()
    graph = residual()
    x = images(32)
    whole = refq.quantize(graph, x)
    clipped = refq.quantize(graph, x, path)
    name = graph.inputs[0]
    assert float(clipped.tensors[name].qparams.scale) < float(whole.tensors[name].qparams.scale)
    path.write_text('[activations]\nrange = "widest"\n')
    with pytest.raises(LoadError, match="'widest' is unknown"):
        find_recipe(path)


@pytest.mark.parametrize("name", ["mse", "entropy", "aciq", "percentile:99.9", "moving_average"])
def test_models_run_on_every_range(name, tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(f'[activations]\nrange = "{name}"\n')
    quantized = refq.quantize(residual(), images(16), path)
    y, exact = refq.run(quantized, images(4), path="integer"), refq.run(residual(), images(4))
    assert np.abs(y - exact).max() < 0.5 * np.abs(exact).max() + 0.1
