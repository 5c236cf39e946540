"""How a row-stationary array works on a convolution: the mapping with least energy that the chip can run.

An element keeps one row of p filters and q channels; a set of R x e elements makes e rows of outputs. r sets stand
above each other and add up other channels, t sets work on other filters: above each other too, beside each other only
where a second one does not fit above. Rows of a set beyond the columns are folded; folded sets do not add up. m filters
of n images keep their sums in the buffer, beside the inputs of a pass:

    p q S <= filter words        q S <= input words        m n e f + n q r ((e-1) U + R) w <= bank words * banks
    q r ((e-1) U + R) w <= bank words        where one row of outputs of one channel can: one bank serves an image

Rows of more than `most_columns` outputs are worked on in k equal parts of f outputs, w inputs. With strips of e rows:

    passes  = ceil(C / (q r)) * ceil(K / (p t)) * strips * k * N / n        for each group
    array   = max(p q S F n a pass, sums in or out / words a cycle)
    fill    = p t q r R S / words a cycle (filters) + p f (sums of a row leave)         a pass
    buffer  = inputs of the strips * ceil(K / (p t)) + 2 K E F N ceil(C / (q r))        words
    inputs  = ceil(K / m) * what strips and parts share; weights = N / n * strips * k   times off chip

Of the mappings with at least nine tenths of the most elements at work the one with least energy is taken: 200 a word
off chip, 6 one of the buffer (Chen et al., ISCA 2016); inputs behind the picture travel coded.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from math import ceil, isqrt
from typing import NamedTuple

from hwsim.arch.rows import RowStationary

_OFF_CHIP, _BUFFER = 200, 6
_CODED = 0.5
"""Coded over plain size of activations, as the choice of a mapping weighs it"""
_BUSY = 0.9
PICTURE_CHANNELS = 4


class Shape(NamedTuple):
    """One group: images, filters, channels, output rows and columns, window, stride."""

    N: int
    K: int
    C: int
    E: int
    F: int
    R: int
    S: int
    U: int


class Device(NamedTuple):
    """The numbers of a specification that decide a mapping."""

    rows: int
    cols: int
    filter_words: int
    input_words: int
    filters: int
    banks: int
    bank_words: int
    most_columns: int
    words_per_cycle: int


class Mapping(NamedTuple):
    """A mapping and what it costs: cycles, words of the buffer, how often inputs and weights come from outside."""

    e: int
    p: int
    q: int
    r: int
    t: int
    m: int
    n: int
    parts: int
    passes: int
    array: int
    waiting: float
    fill: float
    buffer_inputs: int
    buffer_sums: int
    read_inputs: float
    read_weights: int
    active: int


def device_of(unit: RowStationary) -> Device:
    """The numbers that decide a mapping."""
    return Device(*(int(getattr(unit, name).value) for name in Device._fields))


@lru_cache(maxsize=4096)
def mapping_of(shape: Shape, device: Device) -> Mapping:
    """The mapping with least energy among those that keep the elements busy; the rules stand at the top."""
    choices = list(_choices(shape, device)) or [_Choice(1, 1, 1, 1, 1, shape.K)]  # at worst one row of one channel
    most = max(choice.busy for choice in choices)
    coded = _CODED if shape.C > PICTURE_CHANNELS else 1.0
    plane = ((shape.E - 1) * shape.U + shape.R) * ((shape.F - 1) * shape.U + shape.S)
    inputs, weights = coded * shape.N * shape.C * plane, shape.K * shape.C * shape.R * shape.S

    def energy(made: Mapping) -> tuple[float, float]:
        moved = inputs * made.read_inputs + weights * made.read_weights
        words = made.buffer_inputs + made.buffer_sums
        return _OFF_CHIP * moved + _BUFFER * words, made.array + made.waiting + made.fill

    return min((_mapping(shape, device, c) for c in choices if c.busy >= _BUSY * most), key=energy)


class _Choice(NamedTuple):
    """Output rows, channels, sets above each other, sets on other filters, images, filters whose sums are held."""

    e: int
    q: int
    r: int
    t: int
    n: int
    sums: int

    @property
    def busy(self) -> int:
        """Elements at work, over the rows of a set."""
        return self.e * self.r * self.t


def _choices(shape: Shape, device: Device) -> Iterator[_Choice]:
    """Every mapping whose inputs and sums the buffer holds."""
    taps = min(shape.S, device.input_words)
    height = min(shape.R, device.rows)
    parts = ceil(shape.F / device.most_columns)
    f = ceil(shape.F / parts)
    width = (f - 1) * shape.U + shape.S
    in_one_bank = height * width <= device.bank_words
    channels = range(1, min(shape.C, device.input_words // taps, device.filter_words // taps) + 1)
    images = [n for n in range(1, shape.N + 1) if shape.N % n == 0]
    for e in range(1, min(shape.E, device.cols * (device.rows // height)) + 1):
        above = max(1, device.rows // (height * ceil(e / device.cols)))
        beside = max(1, device.cols // e) if above == 1 else 1
        for r in range(1, min(above if e <= device.cols else 1, shape.C) + 1):
            for q in channels:
                each = q * r * ((e - 1) * shape.U + height) * width
                if in_one_bank and each > device.bank_words:
                    break
                for n in images:
                    sums = (device.banks * device.bank_words - n * each) // (n * e * f)
                    if sums >= 1:
                        yield _Choice(e, q, r, min((above // r) * beside, shape.K, sums), n, sums)


@cache
def _divisors(number: int) -> tuple[int, ...]:
    """From the largest down."""
    low = [k for k in range(1, isqrt(number) + 1) if number % k == 0]
    return tuple(sorted({*low, *(number // k for k in low)}, reverse=True))


def _mapping(shape: Shape, device: Device, choice: _Choice) -> Mapping:
    e, q, r, t, n, most = choice
    taps, height = min(shape.S, device.input_words), min(shape.R, device.rows)
    parts = ceil(shape.F / device.most_columns)
    f = ceil(shape.F / parts)
    p = max(1, min(device.filters, device.filter_words // (q * taps), shape.K, most // t))
    while p > 1 and shape.K % (p * t) and p * t < shape.K:
        p -= 1
    together = min(p * t, shape.K)
    m = next((k for k in _divisors(shape.K) if k <= most and k % together == 0), together)
    folds = ceil(shape.S / taps) * ceil(shape.R / device.rows)
    strips, groups = ceil(shape.E / e), ceil(shape.K / together)
    turns = ceil(shape.C / (q * r)) * folds
    passes = turns * groups * strips * parts * (shape.N // n)
    array = passes * p * q * taps * f * n
    sums = shape.K * shape.E * shape.F * shape.N * turns
    tall, wide = (shape.E - 1) * shape.U + shape.R, (shape.F - 1) * shape.U + shape.S
    rows = tall + (strips - 1) * max(0, shape.R - shape.U)
    columns = wide + (parts - 1) * max(0, shape.S - shape.U)
    return Mapping(
        e=e,
        p=p,
        q=q,
        r=r,
        t=t,
        m=m,
        n=n,
        parts=parts,
        passes=passes,
        array=array,
        waiting=max(0.0, sums / device.words_per_cycle - array),
        fill=passes * (together * q * r * height * taps / device.words_per_cycle + p * f),
        buffer_inputs=shape.N * shape.C * folds * rows * columns * groups,
        buffer_sums=2 * sums,
        read_inputs=ceil(shape.K / m) * rows * columns / (tall * wide),
        read_weights=(shape.N // n) * strips * parts,
        active=height * e * r * t,
    )
