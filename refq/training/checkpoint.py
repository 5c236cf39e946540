"""Checkpoints: everything a run needs to go on as if it had not stopped, in one file that is replaced whole."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from refq.errors import LoadError
from refq.training.network import Values

_PARTS = ("values", "statistics", "optimizer")
_FORMAT = 1


@dataclass(slots=True, kw_only=True)
class State:
    """A run between two epochs.

    values, statistics, optimizer : dictionaries of arrays
    epoch, step : how many are behind
    rng : state of the bit generator
    history : a dictionary of numbers an epoch
    """

    values: Values
    statistics: Values
    optimizer: Values
    epoch: int = 0
    step: int = 0
    rng: dict[str, Any] = field(default_factory=dict[str, Any])
    history: list[dict[str, float]] = field(default_factory=list[dict[str, float]])


def save_state(state: State, path: str | Path) -> None:
    """Write a state as .npz; an interrupted write leaves the old file."""
    path = Path(path)
    arrays = {f"{part}|{name}": array for part in _PARTS for name, array in getattr(state, part).items()}
    rest = {"format": _FORMAT, "epoch": state.epoch, "step": state.step, "rng": state.rng, "history": state.history}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **{"rest": np.array(json.dumps(rest)), **arrays})
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_state(path: str | Path) -> State:
    """Read a state.

    Raises
    ------
    LoadError    a file that is missing, damaged or of another kind
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            rest = json.loads(str(file["rest"]))
            parts: dict[str, Values] = {part: {} for part in _PARTS}
            for key in file.files:
                if key != "rest":
                    part, name = key.split("|", 1)
                    parts[part][name] = file[key]
        if rest["format"] != _FORMAT:
            raise ValueError(f"format {rest['format']} is not {_FORMAT}")
        numbers = {name: rest[name] for name in ("epoch", "step", "rng", "history")}
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise LoadError(f"{path}: not a checkpoint of a training run: {error}") from error
    return State(**parts, **numbers)


def check_resumable(state: State, values: Values, path: str | Path) -> None:
    """LoadError where the checkpoint is of another network."""
    for name, value in values.items():
        held = state.values.get(name)
        if held is None or held.shape != value.shape or held.dtype != value.dtype:
            found = "nothing" if held is None else f"{held.dtype}{list(held.shape)}"
            raise LoadError(
                f"{path}: the checkpoint holds {found} for {name!r}, the network {value.dtype}{list(value.shape)}; "
                "delete it or give another path"
            )
