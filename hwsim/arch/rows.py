"""Table of specifications with a row-stationary array."""

from __future__ import annotations

from hwsim.arch.quantity import Frozen, Quantity


class RowStationary(Frozen, frozen=True):
    """Array of elements that each keep one row of some filters, behind a banked buffer (Eyeriss class)."""

    rows: Quantity
    cols: Quantity
    precisions: tuple[str, ...]
    filter_words: Quantity
    """Weights an element holds"""
    input_words: Quantity
    """Inputs an element holds: a window of one row of some channels"""
    filters: Quantity
    """Filters an element works on at a time, a sum for each"""
    banks: Quantity
    bank_words: Quantity
    words_per_cycle: Quantity
    """Filters that reach the array in a cycle"""
    zeros_pct: Quantity
    """Zero activations assumed behind the first layer: they are coded off chip, and their products are not computed"""
    code_ratio: Quantity
    """Bits of one coded value that is not zero over the bits of the value"""
