"""Converters of operators with a state: SVDF and LSTM over a sequence.

The file keeps states in variable tensors that start at zero; refq's layers start from zero at every run, which is what
a fresh interpreter does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.graph import QParams
from refq.io.tflite.builder import Builder, Operand, Operation
from refq.io.tflite.converters import converts

_GATES = ("input", "forget", "cell", "output")


@converts("SVDF")
def svdf(builder: Builder, op: Operation) -> None:
    """One step a run; the state's grid becomes attributes of the layer."""
    op.takes(5)
    state = op.input(4)
    if not state.is_variable:
        raise op.refuse("its state must be a variable tensor")
    attrs: dict[str, Any] = {"rank": op.option("rank", 0)}
    if state.qparams is not None:
        if np.any(state.qparams.zero_point != 0):
            raise op.refuse(f"the state's zero point {state.qparams.zero_point} must be 0")
        attrs |= {"state_scale": float(state.qparams.scale), "state_bits": state.qparams.bits}
    # The integer kernel demands RELU and computes none: only the ends of the codes limit its output.
    clamp = None if state.qparams is not None else op.clamp
    builder.emit("Svdf", op, [op.x, op.input(1), op.input(2), op.optional(3)], clamp=clamp, **attrs)


@converts("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(builder: Builder, op: Operation) -> None:
    """The basic LSTM: four gates, no peepholes, projection or layer normalization."""
    op.takes(20, 24)
    extra = [name for name, places in _EXTRAS.items() if any(op.optional(place) is not None for place in places)]
    if extra:
        raise op.refuse(f"{', '.join(extra)} not supported")
    if op.option("fused_activation_function", "NONE") != "TANH":
        raise op.refuse(f"activation {op.option('fused_activation_function', 'NONE')} has no rule, TANH is needed")
    x, y, hidden, cell = op.x, op.y, op.input(18), op.input(19)
    attrs: dict[str, Any] = {"return_sequences": True, "cell_clip": float(op.option("cell_clip", 0.0))}
    if x.qparams is not None:
        attrs["cell_power"] = _cell_power(op, cell)
        _check_hidden(op, hidden, y)
    w, u = _stacked(builder, op, "w", (1, 2, 3, 4)), _stacked(builder, op, "u", (5, 6, 7, 8))
    b = _stacked(builder, op, "b", (12, 13, 14, 15))
    if not op.option("time_major", False):
        builder.emit("LSTM", op, [x, w, u, b], **attrs)
        return
    batch_first = builder.tensor(f"{op.name}/batch_first", x.qparams, x.dtype)
    states = builder.tensor(f"{op.name}/states", y.qparams, y.dtype)
    builder.emit("Transpose", op, [x], batch_first, name=f"{op.name}/batch_first", perm=[1, 0, 2])
    builder.emit("LSTM", op, [batch_first, w, u, b], states, **attrs)
    builder.emit("Transpose", op, [states], y, name=f"{op.name}/time_first", perm=[1, 0, 2])


_EXTRAS = {"peepholes": (9, 10, 11), "projection": (16, 17), "layer normalization": (20, 21, 22, 23)}


def _cell_power(op: Operation, cell: Operand) -> int:
    scale = 0.0 if cell.qparams is None else float(cell.qparams.scale)
    mantissa, exponent = np.frexp(scale)
    if mantissa != 0.5:
        raise op.refuse(f"the cell state's scale {scale} must be a power of two")
    return int(exponent) - 1


def _check_hidden(op: Operation, hidden: Operand, y: Operand) -> None:
    """The kernel takes h's grid from an intermediate and reads h on the state's: both must be the output's."""
    grids = [hidden.qparams, *(i.qparams for i in op.intermediates[4:5] if i is not None)]
    if len(grids) != 2 or any(grid != y.qparams for grid in grids):
        raise op.refuse("the grids of its hidden state and of its output differ")


def _stacked(builder: Builder, op: Operation, kind: str, places: tuple[int, ...]) -> Operand | None:
    """Four gates' tensors as one, in the order i, f, g, o; a scale a gate becomes one a row."""
    gates = [op.optional(place) for place in places]
    if gates[0] is None and kind != "b":
        raise op.refuse("coupled input and forget gates are not supported")
    if all(gate is None for gate in gates):
        return None
    values: list[NDArray[Any]] = [op.constant(place) for place in places]
    grids = [gate.qparams for gate in gates if gate is not None and gate.qparams is not None]
    grid = None
    if grids and len(grids) == len(gates):
        rows = [len(value) for value in values]
        if any(g.axis is not None for g in grids):
            raise op.refuse("weights with a scale a channel have no rule")
        grid = QParams(
            scale=np.repeat([g.scale for g in grids], rows),
            zero_point=np.repeat([g.zero_point for g in grids], rows),
            axis=0,
            bits=grids[0].bits,
        )
    elif grids:
        raise op.refuse("some gates are quantized, others are not")
    return builder.constant(f"{op.name}/{kind}", np.concatenate(values), grid)
