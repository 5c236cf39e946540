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
    most_columns: Quantity
    """Outputs of a row worked on at a time; longer rows go in equal parts"""
    words_per_cycle: Quantity
    """Filters that reach the array in a cycle; sums that reach it, and that leave it"""
    zeros_pct: Quantity
    """Zeros among the inputs of the deepest layers, where the workload states none: they are coded off chip, and their
    products are not computed"""
    code_ratio: Quantity
    """Bits of one coded value that is not zero over the bits of the value"""
