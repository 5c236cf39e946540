"""Replacements for numbers, texts and whole subtrees of plain data."""

from __future__ import annotations

from random import Random
from typing import Any

INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    127,
    128,
    255,
    256,
    65536,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**33,
    2**40,
    2**62,
    2**63 - 1,
)
REALS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-38, 3.4e38, 1e300, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", "x", "same", "relu", "float64", "a\nb", "\x1b[31m", "\ud800", "é" * 40, "../..", "0", "Lambda", "y" * 5000)


def integer(rng: Random) -> int:
    return rng.choice(INTEGERS) if rng.random() < 0.7 else rng.randrange(-20, 200)


def real(rng: Random) -> float:
    return rng.choice(REALS) if rng.random() < 0.7 else rng.uniform(-4, 4)


def other(value: Any, rng: Random) -> Any:
    """Another value, of the same type more often than not."""
    if rng.random() < 0.7:
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return rng.choice((value + 1, value - 1, -value, 2 * value, integer(rng)))
        if isinstance(value, float):
            return rng.choice((-value, value * 2, real(rng)))
        if isinstance(value, str):
            return rng.choice((rng.choice(TEXTS), value + "_", value[: len(value) // 2], value.upper()))
        if isinstance(value, list) and value:
            return rng.choice((value + value, value[:-1], value[::-1], [value], value[:1] * 40, value[0]))
        if isinstance(value, dict) and value:
            gone = rng.choice(sorted(value, key=str))
            return {k: v for k, v in value.items() if k != gone}
    return rng.choice(
        (
            None,
            True,
            [],
            {},
            [None],
            {"class_name": "x"},
            10**30,
            integer(rng),
            real(rng),
            rng.choice(TEXTS),
            [1, [2, [3]]],
        )
    )


def mutate_tree(root: Any, rng: Random) -> tuple[Any, str]:
    """A copy of JSON-like data with one place changed: (data, what was done)."""
    places = list(_places(root, ()))
    path = rng.choice(places)
    value = _at(root, path)
    choice = rng.random()
    if choice < 0.70:
        new = other(value, rng)
    elif choice < 0.85:
        new = _at(root, rng.choice(places))
    elif choice < 0.93 and path:
        return _replaced(root, path, _GONE), f"{path} left out"
    else:
        new = value
        for _ in range(rng.choice((1, 20, 300))):
            new = [new] if rng.random() < 0.5 else {"config": new}
    return _replaced(root, path, new), f"{path} = {_short(new)}"


_GONE = object()


def _short(value: Any) -> str:
    try:
        return ascii(value)[:80]
    except RecursionError:
        return "a deep nest"


def _places(value: Any, path: tuple[Any, ...]) -> Any:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*path, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if len(path) == 1 and new is _GONE:
        if isinstance(value, dict):
            return {k: v for k, v in value.items() if k != path[0]}
        return [v for i, v in enumerate(value) if i != path[0]]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy
