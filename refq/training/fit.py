"""fit: train a graph on arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError, TrainingError
from refq.graph import Graph
from refq.quantizers.learning.protocol import Moment
from refq.training.batches import Augmentation, batches, samples
from refq.training.checkpoint import State, check_resumable, load_state, save_state
from refq.training.losses import Loss, softmax_cross_entropy
from refq.training.network import Network, Values, scores_of
from refq.training.optimizers import Optimizer, sgd
from refq.training.progress import progress
from refq.training.schedules import Schedule, cosine
from refq.training.sweep import Tape, forward

Array = NDArray[Any]
Penalty = Callable[[Values, float], tuple[float, Values]]
"""(values, progress) -> (what is added to the loss, its gradients)."""
Projection = Callable[[Values, float], Values]
"""(values, progress) -> values after a step, put back where the method wants them."""

_EXPLODED = 1e4


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What `fit` returns.

    graph : with the trained constants, and the grids of the quantizers
    history : a dictionary of numbers an epoch: loss, rate, and accuracy where a validation set was given
    state : what the run would go on from
    """

    graph: Graph
    history: tuple[Mapping[str, float], ...]
    state: State


def fit(
    network: Graph | Network,
    data: tuple[Any, Any],
    *,
    epochs: int,
    batch_size: int = 64,
    loss: Loss = softmax_cross_entropy,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    augment: Augmentation | None = None,
    validation: tuple[Any, Any] | None = None,
    penalty: Penalty | None = None,
    project: Projection | None = None,
    seed: int = 0,
    dtype: Any = np.float32,
    checkpoint: str | Path | None = None,
    until: int | None = None,
    reads: tuple[str, ...] = (),
    start_samples: int | None = None,
    collect: bool = False,
) -> Trained:
    """Train a graph.

        w <- update(dL/dw, w, rate),   dL/dw by a reverse sweep over the graph

    Parameters
    ----------
    network : Graph with one output; or Network, which says what is frozen and which tensors have quantizers
    data : (x, y), arrays; x is a tuple of arrays where the graph has several inputs, y one where the loss wants it
    epochs : int >= 1
    batch_size : int >= 1
    loss : see `refq.training.losses`; it gets what lies before a final softmax, not probabilities
    optimizer : default SGD with momentum 0.9
    schedule : default cosine from 0.05
    augment : on the images of every batch
    validation : (x, y); its accuracy after every epoch is in the history
    penalty : added to the loss
    project : on the values after every step
    seed : of shuffling, augmentation and everything else that is drawn
    dtype : float32 or float64
    checkpoint : file that is written after every epoch, and from which the run goes on if it is there; the result is
        that of a run that never stopped
    until : stop after this many epochs, as an interruption would; the schedule is that of `epochs`
    reads : tensors the loss sees besides the output: it gets (outputs, *tensors), and gives a gradient for each
    start_samples : how many of the first samples learned values of quantizers start on; default one batch
    collect : after the last step, normalization takes its statistics anew from one pass over the data, as the returned
        graph computes it; for rules that draw while training, whose averages are those of what was drawn

    Raises
    ------
    TrainingError    NaN, infinity or an exploding loss; step, layer and last good checkpoint are named
    LoadError        a checkpoint of another network
    ShapeError, RangeError    data or settings that do not fit

    Notes
    -----
    Memory of a step: every activation twice (as computed and as quantized), and what layers keep beside them.
    """
    net = network if isinstance(network, Network) else Network(graph=network)
    if epochs < 1 or np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise RangeError(f"epochs={epochs} must be at least 1 and dtype={np.dtype(dtype)} float32 or float64")
    run = _Run(net, loss, optimizer or sgd(momentum=0.9), schedule or cosine(0.05), penalty, project, dtype, reads)
    x, y = data
    per_epoch = -(-samples(x, y) // batch_size)
    run.total = per_epoch * epochs
    state = _first_state(run, x, seed, start_samples or batch_size, checkpoint)
    rng = np.random.default_rng()
    rng.bit_generator.state = state.rng
    last = epochs if until is None else min(until, epochs)
    with progress(run.total, net.graph.name, state.step) as report:
        while state.epoch < last:
            losses: list[float] = []
            for part, targets in batches(x, y, batch_size, rng):
                seen = part if augment is None else augment(part, rng)
                losses.append(run.step(state, seen, targets, rng, checkpoint))
                report(state.step, losses[-1])
            state.epoch += 1
            numbers = {"loss": float(np.mean(losses)), "rate": run.schedule(state.step - 1, run.total)}
            if validation is not None:
                numbers["accuracy"] = run.accuracy(state, *validation)
            state.history.append(numbers)
            state.rng = dict(rng.bit_generator.state)
            if checkpoint is not None:
                save_state(state, checkpoint)
    if collect and state.epoch == epochs:
        run.collect(state, x, y, batch_size)
    return Trained(graph=run.settled(state, x), history=tuple(state.history), state=state)


def _first_state(run: _Run, x: Any, seed: int, count: int, checkpoint: str | Path | None) -> State:
    values, statistics = run.network.start(run.dtype)
    if checkpoint is not None and Path(checkpoint).exists():
        state = load_state(checkpoint)
        check_resumable(state, values, checkpoint)
        return state
    rng = np.random.default_rng(seed)
    first = x[:count] if not isinstance(x, tuple) else tuple(part[:count] for part in x)
    tape = forward(run.network, values, statistics, run.inputs(first), Moment())
    for name, value in tape.started.items():
        tensor, key = name.split("//")
        observed = run.network.quantizers[tensor].observed
        (statistics if key in observed else values)[name] = np.asarray(value, run.dtype)
    return State(
        values=values, statistics=statistics, optimizer=run.optimizer.init(values), rng=dict(rng.bit_generator.state)
    )


class _Run:
    """What stays the same in all steps."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        optimizer: Optimizer,
        schedule: Schedule,
        penalty: Penalty | None,
        project: Projection | None,
        dtype: Any,
        reads: tuple[str, ...] = (),
    ) -> None:
        self.network, self.loss, self.optimizer, self.schedule = network, loss, optimizer, schedule
        self.penalty, self.project, self.dtype = penalty, project, np.dtype(dtype)
        self.reads = reads
        self.total = 1
        self.first_loss: float | None = None
        self.output = scores_of(network.graph)

    def inputs(self, x: Any) -> Values:
        names = self.network.graph.inputs
        parts = x if isinstance(x, tuple) else (x,)
        if len(parts) != len(names):
            raise ShapeError(f"{self.network.graph.name!r} takes {len(names)} inputs {list(names)}, got {len(parts)}")
        arrays = {name: np.asarray(part) for name, part in zip(names, parts, strict=True)}
        for name, array in arrays.items():
            want = self.network.graph.tensors[name].shape[1:]
            if array.shape[1:] != want:
                raise ShapeError(f"input {name!r} has shape {array.shape}, expected (batch, {str(want)[1:-1]})")
        real = [self.network.graph.tensors[name].dtype.startswith("float") for name in arrays]
        return {n: a.astype(self.dtype) if r else a for (n, a), r in zip(arrays.items(), real, strict=True)}

    def step(self, state: State, x: Any, targets: Any, rng: np.random.Generator, saved: str | Path | None) -> float:
        """One update of the state, in place; the loss before it."""
        part = state.step / self.total
        moment = Moment(training=True, progress=part, rng=rng)
        curvatures = self.optimizer.curvature(state.optimizer)
        tape = forward(self.network, state.values, state.statistics, self.inputs(x), moment, curvatures)
        with np.errstate(all="ignore"):
            value, found = self.measure(tape, targets)
            slopes = tape.gradients(found, state.values)
            if self.penalty is not None:
                extra, more = self.penalty(state.values, part)
                value += extra
                slopes |= {name: slopes[name] + more[name] if name in slopes else more[name] for name in more}
            self.check(state, tape, value, slopes, saved)
            rate = self.schedule(state.step, self.total)
            values, state.optimizer = self.optimizer.update(slopes, state.optimizer, state.values, rate)
            state.values = values if self.project is None else self.project(values, part)
        state.statistics = state.statistics | tape.statistics
        state.step += 1
        return value

    def measure(self, tape: Tape, targets: Any) -> tuple[float, Values]:
        """The loss and its gradients with respect to the tensors it reads."""
        names = (self.output, *self.reads)
        arrays: Any = tuple(tape.values[tape.seen(name)] for name in names)
        value, slopes = self.loss(arrays if self.reads else arrays[0], targets)
        if tape.wants_losses:
            tape.losses = self.of_samples(arrays, targets)
        many = slopes if self.reads else (slopes,)
        total: Values = {}
        for name, slope in zip(names, many, strict=True):  # a tensor may be read more than once
            slope = slope.astype(self.dtype)
            total[name] = total[name] + slope if name in total else slope
        return value, total

    def of_samples(self, arrays: tuple[Array, ...], targets: Any) -> Array:
        """The loss of every sample of a batch."""
        found: list[float] = []
        for outputs, target in batches(arrays, targets, 1):
            found.append(self.loss(outputs if self.reads else outputs[0], target)[0])
        return np.array(found, self.dtype)

    def check(self, state: State, tape: Tape, loss: float, slopes: Values, saved: str | Path | None) -> None:
        """TrainingError where a number is not finite, or the loss has left all proportion to the first one."""
        self.first_loss = loss if self.first_loss is None else self.first_loss
        is_finite = np.isfinite(loss) and all(np.isfinite(slope).all() for slope in slopes.values())
        if is_finite and loss <= _EXPLODED * max(abs(self.first_loss), 1.0):
            return
        where = self.blown(tape, slopes)
        good = "none was written" if saved is None or state.epoch == 0 else f"{saved} (epoch {state.epoch})"
        raise TrainingError(
            f"training of {self.network.graph.name!r} diverged at step {state.step} (epoch {state.epoch + 1}): "
            f"loss={loss:.6g}, {where or 'every tensor is finite'}; last good checkpoint: {good}; "
            "lower the rate or warm up"
        )

    def blown(self, tape: Tape, slopes: Values) -> str | None:
        """The first layer whose output is not finite, else the first weight whose gradient is not."""
        for node in self.network.graph.nodes:
            for name in node.outputs:
                if name in tape.values and not np.isfinite(tape.values[name]).all():
                    return f"{node.op} {node.name!r} is the first layer with an output that is not finite"
        for name, slope in slopes.items():
            if not np.isfinite(slope).all():
                tensor = name.split("//")[0]
                reader = next((node for node in self.network.graph.nodes if tensor in node.inputs), None)
                layer = "" if reader is None else f" of {reader.op} {reader.name!r}"
                return f"the gradient of {name!r}{layer} is not finite"
        return None

    def accuracy(self, state: State, x: Any, y: Any) -> float:
        """Part of the samples whose largest output is the label's."""
        right = 0
        for part, labels in batches(x, y, 256):
            tape = forward(self.network, state.values, state.statistics, self.inputs(part), Moment())
            right += int((tape.values[tape.seen(self.output)].argmax(axis=-1) == labels).sum())
        return right / samples(x, y)

    def collect(self, state: State, x: Any, y: Any, batch_size: int) -> None:
        """Statistics of normalization as means over all batches, weights and grids being those outside training."""
        for count, (part, _) in enumerate(batches(x, y, batch_size)):
            network = replace(self.network, momentum=count / (count + 1))
            tape = forward(network, state.values, state.statistics, self.inputs(part), Moment(collects=True))
            state.statistics = state.statistics | tape.statistics

    def settled(self, state: State, x: Any) -> Graph:
        """The trained graph; the grids are those of a sweep over one sample."""
        one = tuple(part[:1] for part in x) if isinstance(x, tuple) else x[:1]
        tape = forward(self.network, state.values, state.statistics, self.inputs(one), Moment())
        return self.network.settled(state.values, state.statistics, tape.grids)
