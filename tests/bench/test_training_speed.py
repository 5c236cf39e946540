"""One training step of ResNet-8 on 64 CIFAR-10 images against PyTorch, one thread, same run; and its memory.

Set OMP_NUM_THREADS=1: NumPy's BLAS takes its threads from the environment.
"""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import refq
from refq.quantizers.learning import Moment
from refq.training import Network, forward, sgd, softmax_cross_entropy

ROUNDS = 9
MODEL = Path(__file__).resolve().parents[2] / "models" / "resnet8.h5"


def torch_model(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, before, filters, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(before, filters, 3, stride, 1),
                nn.BatchNorm2d(filters),
                nn.ReLU(),
                nn.Conv2d(filters, filters, 3, 1, 1),
                nn.BatchNorm2d(filters),
            )
            self.side = nn.Conv2d(before, filters, 1, stride) if stride > 1 else nn.Identity()

        def forward(self, x):
            return torch.relu(self.side(x) + self.body(x))

    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        Block(16, 16, 1),
        Block(16, 32, 2),
        Block(32, 64, 2),
        nn.AvgPool2d(8),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def test_a_step_of_resnet8_against_torch(benchmark):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 64)
    net, optimizer = Network(graph=refq.load(MODEL)), sgd(momentum=0.9)
    values, statistics = net.start()
    state = optimizer.init(values)
    name, logits = net.graph.inputs[0], net.graph.producer(net.graph.outputs[0]).inputs[0]

    def ours():
        nonlocal values, state
        tape = forward(net, values, statistics, {name: x}, Moment(training=True, progress=0.0))
        slopes = tape.gradients({logits: softmax_cross_entropy(tape.values[logits], y)[1]}, values)
        values, state = optimizer.update(slopes, state, values, 0.01)
        return sum(array.nbytes for array in tape.values.values())

    model = torch_model(torch)
    peer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    images, labels = torch.tensor(x.transpose(0, 3, 1, 2).copy()), torch.tensor(y)

    def theirs():
        peer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        peer.step()

    times = {ours: [], theirs: []}
    for _ in range(ROUNDS):
        for step, seconds in times.items():
            begin = time.process_time()
            step()
            seconds.append(time.process_time() - begin)
    mine, other = (np.median(seconds[1:]) for seconds in times.values())
    benchmark.pedantic(ours, rounds=1)
    tracemalloc.start()
    held = ours()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(
        f"\nrefq {1e3 * mine:.0f} ms, torch {1e3 * other:.0f} ms a step ({mine / other:.2f} x); activations held "
        f"{held / 2**20:.0f} MiB, peak of a step {peak / 2**20:.0f} MiB"
    )
    assert mine < 1.8 * other
