"""Which laws there are, and which of them a subject must obey."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis.strategies import SearchStrategy

from refq.errors import UnsupportedError
from refq.testing.law import Body, Law


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A law before it is tied to a subject."""

    kind: type
    number: int
    name: str
    statement: str
    source: str
    when: Callable[[Any], bool]
    fixed: Callable[[Any], Iterable[Any]]
    drawn: Callable[[Any], SearchStrategy[Any]] | None
    body: Body


_RULES: list[Rule] = []


def no_example(subject: Any) -> tuple[None]:
    """One fixed example without content, for laws that go over everything by themselves."""
    return (None,)


def nothing(subject: Any) -> tuple[()]:
    """No fixed example."""
    return ()


def always(subject: Any) -> bool:
    """Every subject of the kind."""
    return True


def law(
    kind: type,
    number: int,
    name: str,
    statement: str,
    source: str,
    *,
    when: Callable[[Any], bool] = always,
    fixed: Callable[[Any], Iterable[Any]] = nothing,
    drawn: Callable[[Any], SearchStrategy[Any]] | None = None,
) -> Callable[[Body], Body]:
    """Register the function below as the body of a law about subjects of `kind`; parameters as in `Law`."""

    def register(body: Body) -> Body:
        _RULES.append(
            Rule(
                kind=kind,
                number=number,
                name=name,
                statement=statement,
                source=source,
                when=when,
                fixed=fixed,
                drawn=drawn,
                body=body,
            )
        )
        return body

    return register


def all_rules() -> tuple[Rule, ...]:
    """Every law, by number."""
    import refq.testing.laws  # noqa: F401 - its import fills the list

    return tuple(sorted(_RULES, key=lambda rule: rule.number))


def laws_for(subject: Any) -> tuple[Law, ...]:
    """The laws that apply to a subject, each ready to `check()`.

    Parameters
    ----------
    subject : one of `refq.testing.subjects` (Quantizer, RequantizeFunction, Matmul ...), or a value of refq itself that
        `refq.testing.subject_of` understands (QParams, Levels, Bases, Requantizer, Accumulator ...)

    Raises
    ------
    UnsupportedError    there are no laws about such a thing

    Notes
    -----
    One line of pytest runs them all: `@pytest.mark.parametrize("law", laws_for(q), ids=str)` above
    `def test_law(law): law.check()`.
    """
    from refq.testing.adapt import subject_of

    value = subject_of(subject)
    rules = [rule for rule in all_rules() if isinstance(value, rule.kind)]
    if not rules:
        raise UnsupportedError(
            f"there are no laws about {type(subject).__name__}; wrap it in one of refq.testing's kinds"
        )
    return tuple(
        Law(
            number=rule.number,
            name=rule.name,
            statement=rule.statement,
            source=rule.source,
            subject=value,
            body=rule.body,
            fixed=rule.fixed,
            drawn=rule.drawn,
        )
        for rule in rules
        if rule.when(value)
    )
