from math import ceil, log, pi, sin

import numpy as np
import pytest

import refq
from refq.quantizers.learning import WaveWeights
from refq.training import adam, cosine, fit, quantized, sinusoidal_widths
from tests.unit.training.test_quantized import chain, task


def penalty_at(w, width, progress, **settings):
    """The penalty of one layer whose weights are w, and the slopes of weights and width."""
    x, _ = task(32)
    net = quantized(chain(), x, weights=WaveWeights(pace=2.0))
    names = [name for name, rule in net.quantizers.items() if isinstance(rule, WaveWeights)]
    values = {name: np.zeros((1, 1, 1, 1)) for name in names}
    values |= {f"{name}//width": np.float64(0.5) for name in names} | {f"{names[0]}//width": np.float64(width)}
    values[names[0]] = w
    total, slopes = sinusoidal_widths(net, **settings)(values, progress)
    return total - settings["cost"] * sum(1.0 for _ in names[1:]), slopes[names[0]], slopes.get(f"{names[0]}//width")


def test_the_sine_of_learned_widths_by_hand():
    w = np.array([[0.25, -0.6]])
    total, dw, dwidth = penalty_at(w, 1.0, 0.25, strength=0.3, cost=0.1, settle=0.5)
    # beta = 2: v = 3, amplitude 0.3 * 0.25 / 0.5
    sines = [sin(pi * 0.75) ** 2, sin(pi * 1.8) ** 2]
    assert total == pytest.approx(0.15 * sum(sines) / 4 + 0.1 * 2)
    np.testing.assert_allclose(dw, [[0.15 * pi * 3 / 4 * sin(2 * pi * v) for v in (0.75, -1.8)]])
    by_beta = 0.1 + 0.15 * log(2) * (
        pi * 0.25 * sin(2 * pi * 0.75) - sines[0] / 4 + pi * -0.6 * sin(2 * pi * -1.8) - sines[1] / 4
    )
    assert float(dwidth) == pytest.approx(2.0 * by_beta)  # beta = pace * width


def test_the_sine_of_learned_widths_has_its_own_derivatives():
    rng = np.random.default_rng(0)
    w, settings = rng.uniform(-0.9, 0.9, (3, 4)), {"strength": 0.2, "cost": 0.05, "settle": 0.6}
    _, dw, dwidth = penalty_at(w, 1.35, 0.3, **settings)
    step = 1e-6
    for place in np.ndindex(3, 4):
        moved = np.zeros((3, 4))
        moved[place] = step
        ends = [penalty_at(w + d, 1.35, 0.3, **settings)[0] for d in (moved, -moved)]
        assert dw[place] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-7)
    ends = [penalty_at(w, 1.35 + d, 0.3, **settings)[0] for d in (step, -step)]
    assert float(dwidth) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


def test_settled_widths_stay_and_the_sine_is_that_of_the_deployed_grid():
    w = np.array([[1 / 7, -3 / 7, 0.3]])
    total, dw, dwidth = penalty_at(w, 1.3, 0.8, strength=0.2, cost=0.0, settle=0.5)  # beta = 2.6, so 3 bits: v = 7
    assert dwidth is None
    np.testing.assert_allclose(dw[0, :2], 0, atol=1e-12)
    assert total == pytest.approx(0.2 * sin(pi * 2.1) ** 2 / 8)


def test_a_run_that_learns_widths_resumes_with_the_same_bits_and_deploys_their_ceilings(tmp_path):
    x, y = task()
    net = quantized(chain(), x[:32], weights=WaveWeights(pace=8.0))
    settings = {
        "epochs": 4,
        "batch_size": 16,
        "optimizer": adam(),
        "schedule": cosine(0.01),
        "penalty": sinusoidal_widths(net, 1e-4, 0.1),
    }
    whole = fit(net, (x, y), **settings)
    for until in (1, 3, None):
        parts = fit(net, (x, y), **settings, checkpoint=tmp_path / "run.npz", until=until)
    assert all(np.array_equal(parts.state.values[name], value) for name, value in whole.state.values.items())
    for name, rule in net.quantizers.items():
        if isinstance(rule, WaveWeights):
            beta = rule.beta({"width": whole.state.values[f"{name}//width"]})
            assert beta < 5
            assert whole.graph.tensors[name].qparams.bits == np.ceil(beta) + 1
    fake, codes = (refq.run(whole.graph, x, path=path).argmax(axis=1) for path in ("fake", "integer"))
    assert (fake == codes).mean() > 0.9


def test_dearer_bits_are_fewer_and_weights_end_on_the_levels():
    x, y = task()
    net = quantized(chain(), x[:32], weights=WaveWeights(pace=8.0))
    rules = {name: rule for name, rule in net.quantizers.items() if isinstance(rule, WaveWeights)}
    widths, distances = [], []
    for cost, strength in ((0.0, 0.03), (0.1, 0.03), (0.1, 0.0)):
        penalty = sinusoidal_widths(net, strength, cost)
        trained = fit(net, (x, y), epochs=6, batch_size=16, optimizer=adam(), schedule=cosine(0.01), penalty=penalty)
        values = trained.state.values
        widths.append([ceil(rule.beta({"width": values[f"{name}//width"]})) for name, rule in rules.items()])
        steps = [values[name] * (2**width - 1) for name, width in zip(rules, widths[-1], strict=True)]
        distances.append(np.mean([np.abs(part - np.rint(part)).mean() for part in steps]))
    assert all(cheap > dear for cheap, dear in zip(*widths[:2], strict=True))
    assert distances[1] < 0.5 * distances[2]
