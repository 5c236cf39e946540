"""Tasks on which methods are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import cifar_chain
from models import digits as digits_topology
from models.keras_writer import Network
from models.methods import METHODS, Real
from models.train import Data, cifar, digits
from refq.training import chain, cosine, flip, pad_crop, sgd, warm_up
from refq.training.batches import Augmentation


@dataclass(frozen=True, kw_only=True)
class Task:
    """Data, a topology, and how long its networks train.

    title, about : what stands above its table, and what its data and networks are
    data : seed -> (training, test)
    topology : from the fields width, shortcut and function of a `Real`
    methods : rows of the table
    real : arguments of `fit` for a float model
    epochs, batch_size : of the run that follows, with a method
    augment, copies : a method's run sees so many copies of every image, drawn once, as a teacher must see them too
    """

    name: str
    title: str
    about: str
    data: Callable[[int], tuple[Data, Data]]
    topology: Callable[..., Network]
    methods: tuple[str, ...]
    real: Callable[[Real], dict[str, Any]]
    epochs: int
    batch_size: int
    augment: Augmentation | None = None
    copies: int = 1

    def seen(self, training: Data, seed: int) -> Data:
        """The images a method trains on."""
        if self.augment is None:
            return training
        rng = np.random.default_rng(seed)
        x = np.concatenate([self.augment(training[0], rng) for _ in range(self.copies)])
        return x.astype(np.float32), np.tile(training[1], self.copies)


def digits_task(data: Path | None = None) -> Task:
    """Handwritten digits of 8 by 8 pixels; every method."""
    return Task(
        name="digits",
        title="Methods on handwritten digits",
        about="scikit-learn's digits, 897 to train and 900 to test, split anew for each seed; convolutions of 16, 32 "
        "and 32 filters. The rows of dense signs are networks of 64, 128, 128 and 10 units, trained for 40 epochs from "
        "a random start; every other method starts from one float model (20 epochs) and trains for 20 more",
        data=digits,
        topology=digits_topology.build,
        methods=tuple(METHODS),
        real=lambda real: {
            "epochs": 60 if real.shifted else 20,
            "batch_size": 32,
            "augment": pad_crop(1) if real.shifted else None,
        },
        epochs=20,
        batch_size=32,
    )


def cifar_task(data: Path | None) -> Task:
    """A part of CIFAR-10, and the methods that the survey compares most."""
    if data is None:
        raise FileNotFoundError("the task cifar10 has its images in a file: give --data FILE.npz")
    augment, path = chain(flip, pad_crop(4)), data
    return Task(
        name="cifar10",
        title="Methods on CIFAR-10, 5,000 images",
        about="5,000 images of CIFAR-10 to train and 1,000 to test, the same for every seed; the convolutions of "
        "ResNet-8 at half its width in a chain (`models/cifar_chain.py`). Every method starts from one float model (14 "
        "epochs with mirrored and shifted images) and trains on 4 mirrored and shifted copies of every image, each "
        "seen once,",
        data=lambda seed: cifar(path),
        topology=lambda *, width, **rest: cifar_chain.build(width=width // 2, **rest),
        methods=(
            "plain rounding, 8 bits",
            "plain rounding, 4 bits",
            "plain rounding, 2 bits",
            "STE, moving averages",
            "LSQ, 4 bits",
            "LSQ",
            "PACT",
            "DoReFa",
            "TWN",
            "TTQ",
            "TTQ, half of the weights 0",
            "BNN",
            "XNOR-Net",
            "Bi-Real",
            "LSQ, distillation",
        ),
        real=lambda real: {
            "epochs": 14,
            "batch_size": 64,
            "augment": augment,
            "optimizer": sgd(momentum=0.9, nesterov=True, weight_decay=5e-4),
            "schedule": warm_up(cosine(0.05), 50),
        },
        epochs=1,
        batch_size=64,
        augment=augment,
        copies=4,
    )


TASKS: dict[str, Callable[[Path | None], Task]] = {"digits": digits_task, "cifar10": cifar_task}
"""Tasks by name, from the file of their data."""
