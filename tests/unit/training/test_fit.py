import numpy as np
import pytest

import refq
from refq.errors import GraphError, LoadError, ShapeError, TrainingError
from refq.training import Network, adam, constant, fit, load_state, mean_squared_error, save_state, sgd
from refq.training import checkpoint as checkpoints
from tests.unit.small_graphs import images, residual


def task(count=60):
    x = images(count)
    return x, (x.mean(axis=(1, 2)).argmax(axis=1)).astype(np.int64)


def shake(x, rng):
    return x + rng.normal(0, 0.01, x.shape).astype(np.float32)


def test_training_lowers_the_loss_and_the_graph_it_returns_predicts():
    x, y = task(120)
    trained = fit(residual(), (x, y), epochs=12, batch_size=20, schedule=constant(0.05), validation=(x, y))
    losses = [epoch["loss"] for epoch in trained.history]
    assert losses[-1] < 0.5 * losses[0]
    found = (refq.run(trained.graph, x).argmax(axis=1) == y).mean()
    assert found == pytest.approx(trained.history[-1]["accuracy"])
    assert found > 0.7


def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    settings = {"epochs": 4, "batch_size": 16, "optimizer": adam(), "schedule": constant(0.01), "augment": shake}
    whole = fit(residual(), task(), **settings)
    path = tmp_path / "run.npz"
    for until in (1, 3, None):
        parts = fit(residual(), task(), **settings, checkpoint=path, until=until)
    assert [e["loss"] for e in parts.history] == [e["loss"] for e in whole.history]
    for part in ("values", "statistics", "optimizer"):
        found, expected = getattr(parts.state, part), getattr(whole.state, part)
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_an_interrupted_run_loses_the_current_epoch_only(tmp_path):
    path, calls = tmp_path / "run.npz", []

    def interrupt(x, rng):
        calls.append(len(x))
        if len(calls) == 10:  # the second batch of the third epoch
            raise KeyboardInterrupt
        return x

    settings = {"epochs": 4, "batch_size": 16, "checkpoint": path}
    with pytest.raises(KeyboardInterrupt):
        fit(residual(), task(), **settings, augment=interrupt)
    assert load_state(path).epoch == 2
    resumed = fit(residual(), task(), **settings, augment=lambda x, rng: x)
    path.unlink()
    whole = fit(residual(), task(), **settings, augment=lambda x, rng: x)
    assert all(np.array_equal(resumed.state.values[n], whole.state.values[n]) for n in whole.state.values)


def test_an_interrupted_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    state = fit(residual(), task(), epochs=1, checkpoint=path).state
    before = path.read_bytes()

    def broken(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints.np, "savez", broken)
    with pytest.raises(OSError, match="disk full"):
        save_state(state, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_divergence_names_the_step_the_layer_and_the_last_good_checkpoint(tmp_path):
    x, y = task()
    path = tmp_path / "run.npz"
    fit(residual(), (x, y), epochs=3, checkpoint=path, until=2)
    poisoned = x.copy()
    poisoned[:, 0, 0, 0] = np.nan
    with pytest.raises(TrainingError) as caught:
        fit(residual(), (poisoned, y), epochs=3, checkpoint=path)
    text = str(caught.value)
    assert "step 2 (epoch 3)" in text
    assert "Conv2D 'conv' is the first layer with an output that is not finite" in text
    assert f"last good checkpoint: {path} (epoch 2)" in text
    assert load_state(path).epoch == 2


def test_an_exploding_loss_stops_before_it_overflows():
    x, y = task()
    with pytest.raises(TrainingError, match="lower the rate"):
        fit(residual(), (x, np.eye(5)[y]), epochs=50, loss=mean_squared_error, optimizer=sgd(), schedule=constant(9.0))


def test_frozen_constants_keep_their_values_and_others_move():
    graph = residual()
    net = Network(graph=graph, frozen=frozenset({"conv/kernel"}))
    trained = fit(net, task(), epochs=1)
    np.testing.assert_array_equal(trained.graph.constants["conv/kernel"], graph.constants["conv/kernel"])
    for name in ("conv_1/kernel", "bn/gamma", "bn/mean", "dense/bias"):
        assert not np.array_equal(trained.graph.constants[name], graph.constants[name])


def test_double_precision_is_kept_through_a_run():
    state = fit(residual(), task(), epochs=1, optimizer=adam(), dtype=np.float64).state
    assert {a.dtype for a in [*state.values.values(), *state.statistics.values()]} == {np.dtype(np.float64)}


def test_what_does_not_fit_is_named(tmp_path):
    x, y = task()
    with pytest.raises(ShapeError, match=r"input 'x' has shape \(60, 6, 6, 2\), expected \(batch, 6, 6, 3\)"):
        fit(residual(), (x[..., :2], y), epochs=1)
    with pytest.raises(GraphError, match="are no constants"):
        Network(graph=residual(), frozen=frozenset({"nothing"}))
    path = tmp_path / "run.npz"
    path.write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(LoadError, match="not a checkpoint of a training run"):
        fit(residual(), (x, y), epochs=1, checkpoint=path)
    path.unlink()
    fit(residual(), (x, y), epochs=1, checkpoint=path)
    with pytest.raises(LoadError, match="the checkpoint holds float32"):
        fit(residual(), (x, y), epochs=2, checkpoint=path, dtype=np.float64)
