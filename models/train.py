"""Training runs of the small models.

`python -m models.train digits -o FILE.h5`, `python -m models.train resnet8 --data FILE.npz -o FILE.h5`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

import refq
from models import builders
from models.keras_writer import Network
from refq.graph import Graph
from refq.training import chain, cosine, fit, flip, pad_crop, sgd, warm_up

Data = tuple[np.ndarray, np.ndarray]
_DIGITS_IN_TRAINING = 897

TRAINED = {"digits": 20, "resnet8": 24}
"""Models that are shipped trained, and for how many epochs."""


def digits(seed: int = 0) -> tuple[Data, Data]:
    """(training, test) halves of scikit-learn's 1,797 digits, pixels in [0, 1], shape (N, 8, 8, 1)."""
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    order = np.random.default_rng(seed).permutation(len(found.target))
    x, y = (found.images[order] / 16).astype(np.float32)[..., None], found.target[order]
    cut = _DIGITS_IN_TRAINING
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])


def cifar(path: Path) -> tuple[Data, Data]:
    """(training, test) of an .npz with x_train, y_train, x_test, y_test; pixels centred, in about [-1, 1]."""
    with np.load(path, allow_pickle=False) as file:
        parts = {name: file[name] for name in ("x_train", "y_train", "x_test", "y_test")}

    def scaled(x: np.ndarray) -> np.ndarray:
        return (x.astype(np.float32) - 128) / 128

    train = scaled(parts["x_train"]), parts["y_train"].astype(np.int64)
    return train, (scaled(parts["x_test"]), parts["y_test"].astype(np.int64))


def cifar_file() -> Path | None:
    """The .npz that is read where none is given: data/cifar10_small.npz of $REFQ_SHARED (../shared), if it is there."""
    path = Path(os.environ.get("REFQ_SHARED", "../shared")) / "data" / "cifar10_small.npz"
    return path if path.exists() else None


def graph_of(network: Network, seed: int) -> Graph:
    """The graph of a network with He-normal weights, read back from its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{network.name}.h5"
        network.save(path, seed=seed)
        return refq.load(path)


def accuracy(graph: Graph, data: Data, path: Any = "float") -> float:
    """Part of the samples that a graph classifies as labelled."""
    return float((refq.run(graph, data[0], path=path).argmax(axis=1) == data[1]).mean())


def train(name: str, seed: int, epochs: int, data: Path | None, checkpoint: Path | None) -> tuple[Graph, float]:
    """A trained model and its accuracy on the test set."""
    if name == "digits":
        training, test = digits()
    elif data is None:
        raise click.UsageError(f"{name} trains on images of CIFAR-10: give --data FILE.npz")
    else:
        training, test = cifar(data)
    trained = fit(
        graph_of(builders()[name](), seed),
        training,
        epochs=epochs,
        batch_size=32 if name == "digits" else 64,
        optimizer=sgd(momentum=0.9, nesterov=True, weight_decay=5e-4),
        schedule=warm_up(cosine(0.05), 50),
        augment=None if name == "digits" else chain(flip, pad_crop(4)),
        validation=test,
        seed=seed,
        checkpoint=checkpoint,
    )
    return trained.graph, trained.history[-1]["accuracy"]


def write(name: str, graph: Graph, path: Path) -> None:
    """A trained model as its file: ResNet-8 as Keras', like the other topologies, digits as refq.save writes it."""
    if name == "resnet8":
        builders()[name]().save(path, constants=graph.constants)
    else:
        refq.save(graph, path)


@click.command()
@click.argument("name", type=click.Choice(list(TRAINED)))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="CIFAR-10 as .npz, for resnet8.")
@click.option("--epochs", type=int, help="Default: 20 for digits, 24 for resnet8.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Written every epoch; a run goes on from it.")
def main(name: str, output: Path, data: Path | None, epochs: int | None, seed: int, checkpoint: Path | None) -> None:
    """Train a model and write its file."""
    epochs = epochs or TRAINED[name]
    output.parent.mkdir(parents=True, exist_ok=True)  # before the epochs: a run is not lost for want of a folder
    graph, found = train(name, seed, epochs, data or cifar_file(), checkpoint)
    write(name, graph, output)
    click.echo(f"{name}: accuracy {found:.4f} on the test set after {epochs} epochs, seed {seed}, {output}")


if __name__ == "__main__":
    main()
