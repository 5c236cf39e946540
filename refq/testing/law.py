"""Law: a statement about a quantizer, a requantizer or a product, and the check that tries to refute it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

Body = Callable[[Any, Any], None]


_ACCEPTED = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
    HealthCheck.filter_too_much,
]
"""Slow or large examples are no fault of the subject."""


class Counterexample(Exception):
    """What a body raises: the inputs that break its law, what should have come out, what came out."""

    def __init__(self, inputs: dict[str, Any], expected: Any, got: Any) -> None:
        super().__init__(inputs, expected, got)
        self.inputs, self.expected, self.got = inputs, expected, got


class LawBroken(AssertionError):
    """A law does not hold; the text says which one, for what input, what was expected and what came out.

    Attributes
    ----------
    law : Law
    inputs : dict of the operands by name
    expected, got : what should have come out, and what did
    """

    def __init__(self, law: Law, found: Counterexample) -> None:
        self.law, self.inputs, self.expected, self.got = law, found.inputs, found.expected, found.got
        lines = [
            f"law {law.number} {law.name!r} does not hold for {law.subject.name}",
            f"  statement: {law.statement}",
            *(f"  input {name} = {_text(value)}" for name, value in found.inputs.items()),
            f"  expected: {_text(found.expected)}",
            f"  got: {_text(found.got)}",
        ]
        super().__init__("\n".join(lines))


@dataclass(frozen=True, kw_only=True, eq=False)
class Law:
    """A checkable statement about one subject.

    Parameters
    ----------
    number : int          of the list of invariants, 1..25; see `refq.testing.laws`
    name, statement, source : str
    subject : what it is about, one of `refq.testing.subjects`
    body : (subject, example) -> None, raises Counterexample
    fixed : subject -> examples always tried: corner tables, all codes, all pairs
    drawn : subject -> strategy of further examples, or None where the fixed ones are all there are
    """

    number: int
    name: str
    statement: str
    source: str
    subject: Any
    body: Body = field(repr=False)
    fixed: Callable[[Any], Iterable[Any]] = field(repr=False)
    drawn: Callable[[Any], SearchStrategy[Any]] | None = field(repr=False, default=None)

    def check(self, max_examples: int | None = None) -> None:
        """Try the fixed examples, then drawn ones.

        Parameters
        ----------
        max_examples : drawn examples; None takes the number of the current Hypothesis profile, 0 draws none

        Raises
        ------
        LawBroken    with the smallest counterexample that was found
        """
        for example in self.fixed(self.subject):
            self.test(example)
        count = settings.default.max_examples if max_examples is None else max_examples  # type: ignore[union-attr]
        if self.drawn is None or count == 0:
            return

        @settings(max_examples=count, deadline=None, database=None, suppress_health_check=_ACCEPTED)
        @given(self.drawn(self.subject))
        def attempt(example: Any) -> None:
            self.test(example)

        attempt()

    def test(self, example: Any) -> None:
        """Try one example; what overflows in a subject shows in its results, not as a warning."""
        try:
            with np.errstate(all="ignore"):
                self.body(self.subject, example)
        except Counterexample as found:
            raise LawBroken(self, found) from None

    def __str__(self) -> str:
        return f"{self.number}-{self.name}-{self.subject.name}".replace(" ", "_")


def broken(expected: Any, got: Any, **inputs: Any) -> NoReturn:
    """Report a counterexample."""
    raise Counterexample(inputs, expected, got)


def expect_equal(got: Any, expected: Any, **inputs: Any) -> None:
    """Report the first element that differs; inputs of the shape of the result are reported at that element.

    Floats are compared bit for bit but for the sign of zero.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        broken(f"shape {expected.shape}", f"shape {got.shape}", **inputs)
    expect(np.asarray(got == expected), got, expected, **inputs)


def expect(holds: Any, got: Any, expected: Any, **inputs: Any) -> None:
    """Report the first element where a mask is False; `expected` may be a text."""
    mask = np.asarray(holds, bool)
    if mask.all():
        return
    place = tuple(int(i) for i in np.argwhere(~mask)[0])

    def at(value: Any) -> Any:
        return value[place] if isinstance(value, np.ndarray) and value.shape == mask.shape else value

    broken(at(expected), at(got), **{name: at(value) for name, value in inputs.items()}, **_where(place))


def _where(place: tuple[int, ...]) -> dict[str, Any]:
    return {"index": place if len(place) != 1 else place[0]} if place else {}


def _text(value: Any) -> str:
    if isinstance(value, (np.floating, float)):
        return f"{value!r} ({float(value).hex()})"
    if isinstance(value, np.ndarray) and value.size > 64:
        return f"{value.dtype}{list(value.shape)} starting {value.reshape(-1)[:16].tolist()}"
    return str(value.tolist() if isinstance(value, np.ndarray) else value)
