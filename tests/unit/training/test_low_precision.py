import numpy as np
import pytest

from refq.quantizers.learning import Latent, Moment, SignWeights, StraightThrough
from refq.quantizers.uniform import Uniform
from refq.training import (
    Network,
    cosine,
    fit,
    forward,
    half,
    half_slopes,
    integer_slopes,
    mean_squared_error,
    noisy_slopes,
    proximal,
    sinusoidal,
    softmax_cross_entropy,
    with_features,
)
from refq.training.low_precision import direction_clip
from tests.unit.small_graphs import images, residual

RNG = np.random.default_rng(0)


def task(count=96):
    x, y = images(count), np.arange(count) % 3
    x[np.arange(count), :, :, y] += 0.5
    return x, y


def test_integer_slopes_have_few_levels_and_the_gradient_as_their_mean():
    dy = RNG.normal(size=(2, 50)).astype(np.float32)
    rule, rng = integer_slopes(4), np.random.default_rng(1)
    drawn = np.stack([rule(dy, rng) for _ in range(3000)])
    clip = direction_clip(dy, 7)
    steps = drawn / np.float32(clip / 7)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    assert np.abs(np.rint(steps)).max() == 7
    np.testing.assert_allclose(drawn.mean(axis=0), np.clip(dy, -clip, clip), atol=0.03)
    assert drawn.dtype == np.float32


def test_the_clip_keeps_the_direction_better_than_the_extremes_do():
    dy = RNG.standard_t(2, size=4000)

    def cosine_at(clip, top=7):
        rounded = np.clip(np.rint(dy / (clip / top)), -top, top)
        return (dy * rounded).sum() / np.linalg.norm(dy) / np.linalg.norm(rounded)

    largest = np.abs(dy).max()
    clip = direction_clip(dy, 7)
    assert clip < largest
    assert cosine_at(clip) == pytest.approx(
        max(cosine_at(part * largest) for part in (1, 0.7, 0.5, 0.35, 0.25, 0.175, 0.125))
    )


def test_half_precision_holds_what_float16_holds_and_scaling_saves_small_gradients():
    x = np.array([1 + 2**-10, 1 + 2**-12, 1e-9, 7e4], np.float32)
    np.testing.assert_array_equal(half(x), np.array([1 + 2**-10, 1, 0, np.inf], np.float32))
    small = np.array([[3e-8, 1e-9]], np.float32)
    assert half_slopes(1.0)(small, RNG)[0, 1] == 0
    np.testing.assert_allclose(half_slopes(2.0**16)(small, RNG), small, rtol=1e-3)


@pytest.mark.parametrize(
    "fields",
    [{"slopes": integer_slopes(8)}, {"slopes": noisy_slopes(6)}, {"slopes": half_slopes(), "storage": half}],
    ids=["int8", "noise", "half"],
)
def test_narrow_gradients_reach_the_weights_and_training_goes_on(fields):
    x, y = task()
    plain = fit(residual(), (x, y), epochs=6, batch_size=16, schedule=cosine(0.02))
    narrow = fit(Network(graph=residual(), **fields), (x, y), epochs=6, batch_size=16, schedule=cosine(0.02))
    assert not np.array_equal(plain.state.values["conv/kernel"], narrow.state.values["conv/kernel"])
    assert narrow.history[-1]["loss"] < 0.5 * narrow.history[0]["loss"]
    net = Network(graph=residual(), **fields)
    values, statistics = net.start()
    resting = forward(net, values, statistics, {"x": x}, Moment()).values["y"]
    np.testing.assert_array_equal(
        resting, forward(Network(graph=residual()), values, statistics, {"x": x}, Moment()).values["y"]
    )


def latent(rule):
    return Network(graph=residual(), quantizers={"conv_1/kernel": Latent(rule=rule)})


def test_the_proximal_step_moves_weights_towards_the_nearest_level_by_hand():
    net = latent(SignWeights())
    w = np.zeros((4, 3, 3, 4), np.float32)
    w.reshape(-1)[:4] = [0.5, -0.7, 1.3, 0.95]
    moved = proximal(net, 0.2)({"conv_1/kernel": w}, 0.5)["conv_1/kernel"].reshape(-1)[:5]
    np.testing.assert_allclose(moved, [0.6, -0.8, 1.2, 1.0, 0.1], rtol=1e-6)


def test_the_sine_has_its_zeros_on_the_levels_and_the_stated_slope():
    net = latent(StraightThrough(grid=Uniform(bits=3, symmetric=True, narrow=True)))
    values, _ = net.start(np.float64)
    penalty = sinusoidal(net, 0.3)
    value, slopes = penalty(values, 0.5)
    assert value > 0
    w = values["conv_1/kernel"]
    ends = {int(np.abs(row).argmax()) + 36 * i for i, row in enumerate(w.reshape(4, -1))}  # they set the step
    for place in set(range(20)) - ends:
        found = []
        for sign in (1, -1):
            moved = w.copy()
            moved.reshape(-1)[place] += sign * 1e-6
            found.append(penalty({"conv_1/kernel": moved}, 0.5)[0])
        assert slopes["conv_1/kernel"].reshape(-1)[place] == pytest.approx(
            (found[0] - found[1]) / 2e-6, rel=1e-4, abs=1e-6
        )
    on_levels = StraightThrough(grid=Uniform(bits=3, symmetric=True, narrow=True)).apply(w, 0, {}, Moment())[0]
    assert penalty({"conv_1/kernel": on_levels}, 1.0)[0] < 1e-9


@pytest.mark.parametrize("attention", [False, True])
def test_features_have_the_gradient_of_their_distance(attention):
    loss = with_features(softmax_cross_entropy, 0.7, attention)
    outputs = (RNG.normal(size=(3, 4)), RNG.normal(size=(3, 2, 2, 5)))
    teacher = RNG.normal(size=(3, 2, 2, 6 if attention else 5))
    targets = (np.array([0, 3, 1]), teacher)
    _, slopes = loss(outputs, targets)
    for place in np.ndindex(3, 2, 2, 5):
        step = np.zeros_like(outputs[1])
        step[place] = 1e-6
        ends = [loss((outputs[0], outputs[1] + sign * step), targets)[0] for sign in (1, -1)]
        assert slopes[1][place] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-8)
    np.testing.assert_array_equal(slopes[0], softmax_cross_entropy(outputs[0], targets[0])[1])


def test_features_of_a_teacher_draw_those_of_the_student():
    x, y = task(48)
    tape = forward(Network(graph=residual(7)), *Network(graph=residual(7)).start(), {"x": x}, Moment())
    settings = {"epochs": 6, "batch_size": 16, "schedule": cosine(0.05), "seed": 1}
    loss = with_features(softmax_cross_entropy, 20.0)
    drawn = fit(residual(), (x, (y, tape.values["act"])), loss=loss, reads=("act",), **settings)
    alone = fit(residual(), (x, y), **settings)

    def distance(graph):
        net = Network(graph=graph)
        found = forward(net, *net.start(), {"x": x}, Moment()).values["act"]
        return mean_squared_error(found, tape.values["act"])[0]

    assert distance(drawn.graph) < 0.7 * distance(alone.graph)
