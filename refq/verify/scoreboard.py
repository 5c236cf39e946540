"""Scoreboard: what a bench saw against what the golden model says, item by item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refq.errors import RangeError, RefqError
from refq.verify.arrays import events
from refq.verify.behind import behind, behind_sum
from refq.verify.diagnosis import Diagnosis, Evidence
from refq.verify.faults import Hypothesis, of_array, of_order, of_output, of_sums
from refq.verify.records import LayerRecord, Transaction
from refq.verify.streams import ArrayOrder

Order = Literal["in", "any", "by_tile"]


class MismatchError(RefqError, AssertionError):
    """Hardware and golden model differ; the text is the whole report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One item that is not as expected.

    kind : "value", "unknown" (x or z), "missing", "extra"
    index : number of the item in the expected order; of the observation where it is extra
    got : the value, or the text of an unknown one; None where nothing came
    """

    kind: str
    index: int
    coordinates: tuple[int, ...]
    expected: int | None
    got: int | str | None


class Scoreboard:
    """Collects observations and fails on any that is not expected.

    Parameters
    ----------
    expected : Transactions of `Golden.step`, or plain integers
    order : "in": items come in the expected order; "any": each names its coordinates; "by_tile": as "any", but a tile
        must be whole before the next begins
    bits : width of an item, for hexadecimal and binary text
    layer : name for the report
    tile : items of a tile, for "by_tile"
    record : LayerRecord of the layer; makes operands, accumulators and diagnoses part of the report
    tensor : which tensor of the record the items are: "y", "acc" ...
    array : the array, where items are its sums (`Golden.step` with an order)
    signed : how a binary text is read; None: as the record has it, else signed unless a value is too large for that
    max_report : mismatches written out

    >>> board = Scoreboard([5, -1], bits=8, layer="conv")
    >>> board.observe(5); board.observe(-1)
    >>> board.finish().checked
    2
    """

    def __init__(
        self,
        expected: Iterable[Transaction] | Sequence[int],
        order: Order = "in",
        *,
        bits: int = 32,
        layer: str = "",
        tile: int = 0,
        record: LayerRecord | None = None,
        tensor: str = "y",
        array: ArrayOrder | None = None,
        signed: bool | None = None,
        max_report: int = 5,
    ) -> None:
        if order not in ("in", "any", "by_tile"):
            raise RangeError(f"order={order!r} is not one of in, any, by_tile")
        if order == "by_tile" and tile < 1:
            raise RangeError(f"tile={tile}: order 'by_tile' needs the number of items of a tile")
        self.order, self.bits, self.layer, self.tile = order, bits, layer, tile
        self.record, self.tensor, self.array, self.max_report = record, tensor, array, max_report
        self._expected = [
            item if isinstance(item, Transaction) else Transaction(t=i, coordinates=(i,), value=int(item))
            for i, item in enumerate(expected)
        ]
        self.signed = self._guessed_sign() if signed is None else signed
        self._places: dict[tuple[int, ...], list[int]] = {}
        for i, item in enumerate(self._expected):
            self._places.setdefault(item.coordinates, []).append(i)
        self._got: dict[int, int | str] = {}
        self._extra: list[Mismatch] = []
        self._observed = 0

    def observe(self, value: Any, coordinates: tuple[int, ...] | None = None) -> None:
        """Take one item.

        Parameters
        ----------
        value : int; or anything that prints as a binary number, x and z included, as the values of a four-state
            simulator do; a text of `bits` digits 0 and 1 is binary, any other must be a decimal number
        coordinates : where it belongs; needed unless items come in order
        """
        index = self._index(coordinates)
        self._observed += 1
        item = self._read(value)
        if index is None:
            place = coordinates if coordinates is not None else (self._observed - 1,)
            self._extra.append(
                Mismatch(kind="extra", index=self._observed - 1, coordinates=place, expected=None, got=item)
            )
            return
        self._got[index] = item

    def _guessed_sign(self) -> bool:
        if self.record is not None and self.array is None and self.tensor in self.record.tensors:
            return self.record.tensors[self.tensor].signed
        return all(item.value < 1 << (self.bits - 1) for item in self._expected)

    def _index(self, coordinates: tuple[int, ...] | None) -> int | None:
        if self.order == "in":
            return self._observed if self._observed < len(self._expected) else None
        if coordinates is None:
            raise RangeError(f"order {self.order!r} needs the coordinates of every item")
        places = self._places.get(tuple(coordinates), [])
        index = next((i for i in places if i not in self._got), None)
        if index is not None and self.order == "by_tile":
            first = next((i for i in range(len(self._expected)) if i not in self._got), index)
            if index // self.tile != first // self.tile:
                return None
        return index

    def _read(self, value: Any) -> int | str:
        if isinstance(value, int | np.integer):
            return int(value)
        text = str(value)
        # A value of cocotb has a length of its own, in bits; a plain text is binary if it is as long as an item.
        bits = self.bits if isinstance(value, str) or not hasattr(value, "__len__") else len(value)
        if text and set(text) <= {"0", "1"} and len(text) == bits:
            number = int(text, 2)
            return number - (1 << bits) if self.signed and number >> (bits - 1) else number
        try:
            return int(text)
        except ValueError:
            return text

    def mismatches(self) -> list[Mismatch]:
        """Everything wrong so far, in the expected order; what has not come yet is missing."""
        found: list[Mismatch] = []
        for i, item in enumerate(self._expected):
            got = self._got.get(i)
            if got == item.value:
                continue
            kind = "missing" if got is None else "unknown" if isinstance(got, str) else "value"
            found.append(Mismatch(kind=kind, index=i, coordinates=item.coordinates, expected=item.value, got=got))
        return found + self._extra

    def finish(self) -> Result:
        """The verdict at the end of a run.

        Returns
        -------
        Result

        Raises
        ------
        MismatchError    an item wrong, unknown, missing or unexpected, or nothing seen at all
        """
        wrong = self.mismatches()
        result = Result(
            layer=self.layer,
            checked=len(self._got),
            mismatches=tuple(wrong),
            diagnosis=self._diagnosis() if wrong else None,
        )
        if wrong or not self._observed:
            raise MismatchError(result.text(self))
        return result

    def _diagnosis(self) -> Diagnosis | None:
        expected = np.array([item.value for item in self._expected], np.int64)
        got = np.zeros_like(expected)
        known = np.zeros(len(expected), bool)
        for i, value in self._got.items():
            if not isinstance(value, str):
                got[i], known[i] = value, True
        if not len(expected):
            return None
        if (
            not known.all()
            and not np.any(known & (got != expected))
            and not any(isinstance(value, str) for value in self._got.values())
        ):
            detail = f"{int(np.count_nonzero(~known))} of {len(expected)} results never came"
            return Diagnosis(
                cause="missing results", detail=detail, explained=int(np.count_nonzero(~known)), contradicted=0
            )
        shape, faults = self._faults(expected)
        evidence = Evidence()
        evidence.add(got.reshape(shape), known.reshape(shape), expected.reshape(shape), faults)
        return evidence.diagnosis()

    def _faults(self, expected: Any) -> tuple[tuple[int, ...], Iterable[Hypothesis]]:
        record = self.record
        if record is not None and self.tensor in record.tensors:
            values = record.tensors[self.tensor].values
            if values.size == len(expected) and np.array_equal(values.reshape(-1), expected):
                if self.tensor == "y" and "placed" in record.tensors:
                    return values.shape, of_output(record)
                if self.tensor == "acc":
                    return values.shape, of_sums(record)
                return values.shape, of_order(values)
        if record is not None and self.array is not None and len(expected) % self.array.cols == 0:
            sums = events(record, self.array)
            if np.array_equal(sums.reshape(-1), expected):
                return sums.shape, of_array(record, self.array)
        return expected.shape, of_order(expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a scoreboard found.

    checked : items compared
    mismatches : in the expected order
    diagnosis : the likeliest cause, None where all is right
    """

    layer: str
    checked: int
    mismatches: tuple[Mismatch, ...]
    diagnosis: Diagnosis | None

    def text(self, board: Scoreboard) -> str:
        """The report: counts, the first mismatches in full, the cause."""
        name = f"layer {self.layer!r}: " if self.layer else ""
        if not self.checked and not self.mismatches:
            return f"{name}nothing was observed; a bench that checks nothing proves nothing"
        kinds = {
            kind: sum(m.kind == kind for m in self.mismatches) for kind in ("value", "unknown", "missing", "extra")
        }
        counts = ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)
        lines = [f"{name}{len(self.mismatches)} mismatches ({counts}), {self.checked} items compared"]
        lines += [_line(m, board) for m in self.mismatches[: board.max_report]]
        if len(self.mismatches) > board.max_report:
            lines.append(f"  ... and {len(self.mismatches) - board.max_report} more")
        if self.diagnosis is not None:
            lines.append(f"  likeliest cause: {self.diagnosis}")
        return "\n".join(lines)


def forms(value: int | str | None, bits: int) -> str:
    """A value in decimal, hexadecimal and bits."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"{value} (unknown)"
    mask = value & ((1 << bits) - 1)
    return f"{value} (0x{mask:0{-(-bits // 4)}x}, 0b{mask:0{bits}b})"


def _line(m: Mismatch, board: Scoreboard) -> str:
    where = f"item {m.index} at {m.coordinates}"
    text = f"  {m.kind}: {where}: expected {forms(m.expected, board.bits)}, got {forms(m.got, board.bits)}"
    if isinstance(m.got, int) and m.expected is not None:
        text += f", difference {m.got - m.expected:+d}"
    context = _context(m, board)
    return f"{text}{context}"


def _context(m: Mismatch, board: Scoreboard) -> str:
    record = board.record
    if record is None or m.expected is None:
        return ""
    if board.array is not None:
        word, lane = divmod(m.index, board.array.cols)
        found = f"word {word}, lane {lane}, {behind_sum(record, m.coordinates) or 'padding'}"
    else:
        found = behind(record, board.tensor, m.index)
    return f"; {found}" if found else ""
