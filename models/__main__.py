"""Command line of the model builders."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click

import refq
from models import builders
from models.train import TRAINED, cifar_file, train, write
from refq.interpret import infer_shapes
from refq.layers import layer_for

HERE = Path(__file__).parent
SEED = 0
SHIPPED = {"ds_cnn": False, "mobilenet_v1_025_96": False, "autoencoder": False} | {
    "mobilenet_v1": True,
    "mobilenet_v2": True,
    "resnet18": True,
    "resnet50": True,
    "vgg16": True,
}
"""File name -> whether it holds shapes only."""


def count(path: Path) -> tuple[int, int]:
    """(MACs at batch 1, parameters in the file)."""
    graph = refq.load(path)
    shapes: dict[str, Any] = {**infer_shapes(graph), "": None}
    macs = sum(layer_for(node).nest(*(shapes[name] for name in node.inputs)).macs for node in graph.nodes)
    return macs, graph.parameter_count


TEST_SETS = {
    "digits": "the 900 test images of models.train.digits()",
    "resnet8": "1,000 test images of CIFAR-10, 5,000 others to train, all of them re-encoded as JPEG",
}


def trained_entry(name: str, epochs: int) -> str:
    """Train a model, write its file, and give the manifest's table of it."""
    graph, found = train(name, SEED, epochs, cifar_file(), None)
    path = HERE / f"{name}.h5"
    write(name, graph, path)
    macs, params = count(path)
    return (
        f'[{name}]\nfile = "{path.name}"\nsha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\n'
        f'macs = {macs}\nparams = {params}\nweights = "trained, seed {SEED}, {epochs} epochs"\n'
        f'accuracy = "{found:.4f} on {TEST_SETS[name]}"\n'
        f'command = "python -m models.train {name} --epochs {epochs} --seed {SEED} -o models/{path.name}"\n'
    )


def manifest_entry(name: str, shape_only: bool) -> str:
    """The manifest's table of one shipped file."""
    path = HERE / f"{name}.h5"
    macs, params = count(path)
    weights = "shapes only" if shape_only else f"He-normal, seed {SEED}, untrained"
    return (
        f'[{name}]\nfile = "{path.name}"\nsha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\n'
        f'macs = {macs}\nparams = {params}\nweights = "{weights}"\n'
        f'accuracy = "none: {"no weights" if shape_only else "untrained, for want of data of its task"}"\n'
        f'command = "python -m models ship"\n'
    )


@click.group()
def main() -> None:
    """Build reference networks as Keras .h5 files."""


@main.command("list")
def list_() -> None:
    """Names of the topologies."""
    click.echo("\n".join(builders()))


@main.command()
@click.argument("name", type=click.Choice(sorted(builders())))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@click.option("--shape-only", is_flag=True, help="Declare the weights, write no values.")
@click.option("--input-shape", help="H,W,C in place of the topology's own.")
@click.option("--seed", type=int, default=SEED, show_default=True)
def build(name: str, output: Path, shape_only: bool, input_shape: str | None, seed: int) -> None:
    """Write one network."""
    options = {} if input_shape is None else {"input_shape": tuple(map(int, input_shape.split(",")))}
    builders()[name](**options).save(output, seed=seed, shape_only=shape_only)


@main.command()
def ship() -> None:
    """Write the shipped files and the manifest anew."""
    for name, shape_only in SHIPPED.items():
        builders()[name]().save(HERE / f"{name}.h5", seed=SEED, shape_only=shape_only)
    text = "# Written by `python -m models ship`. params counts every weight in the file, statistics included.\n\n"
    text += "\n".join(manifest_entry(name, shape_only) for name, shape_only in SHIPPED.items())
    text += "\n" + "\n".join(trained_entry(name, epochs) for name, epochs in TRAINED.items())
    (HERE / "manifest.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
