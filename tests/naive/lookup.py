"""Tables of 513 entries for int16 codes, one NumPy float32 at a time, and their reading in Python integers."""

from math import floor

import numpy as np

from tests.naive.elementwise import each

F = np.float32


def half_away(v):
    return F(floor(abs(float(v)) + 0.5) * (1 if v >= 0 else -1))


def table513(function, scale, out_scale):
    """function: float32 -> float32."""
    low, high = scale * F(-32768), scale * F(32767)
    step = (high - low) / F(512)
    per_unit = F(65536) / (out_scale * F(32767) - out_scale * F(-32768))
    table = []
    for i in range(512):
        x = low + F(i) * step
        here = half_away(function(x) * per_unit)
        between = half_away((function(low + F(i + 1) * step) * per_unit + here) / F(2))
        table.append(here - half_away((between - half_away(function(x + step / F(2)) * per_unit)) / F(2)))
    table.append(half_away(function(high) * per_unit))
    return [min(max(int(v), -32768), 32767) for v in table]


def interpolated(function, codes, grid, out):
    table = table513(function, grid.scale, out.scale)

    def word(v):
        return (v + 32768) % 65536 - 32768

    def one(code):
        index, rest = divmod(code + 32768, 128)
        slope = word(table[index + 1] - table[index])
        return word(table[index] + (slope * rest + 64) // 128)

    return each(codes, one)
