"""The methods, one a row, in the order of the survey."""

from __future__ import annotations

from tests.survey.entries import Entry
from tests.survey.level_methods import level_methods
from tests.survey.uniform_methods import uniform_methods


def methods() -> tuple[Entry, ...]:
    """Every row."""
    return uniform_methods() + level_methods()
