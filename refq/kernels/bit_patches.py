"""Patches of a bit-packed image: the rows of the matrix product a convolution is.

The bits of one image row (W * C of them) lie without gaps, and so do the bits of a patch (FY * FX * C), whatever C is:
16 channels fill a quarter of a word, not a word. Positions outside the image become 0 bits.
"""

from __future__ import annotations

import numpy as np

from refq.kernels.compiled import compiled

_ONE = np.uint64(1)


# source, target (words) uint64; `count` bits from bit `start` of source are or-ed into target from bit `place` on.
@compiled
def copy_bits(source, start, target, place, count):
    while count > 0:
        take = min(count, 64 - place % 64)
        word, shift = start // 64, start % 64
        bits = source[word] >> np.uint64(shift)
        if shift + take > 64:
            bits |= source[word + 1] << np.uint64(64 - shift)
        if take < 64:
            bits &= (_ONE << np.uint64(take)) - _ONE
        target[place // 64] |= bits << np.uint64(place % 64)
        start, place, count = start + take, place + take, count - take


# image (N * H, words of W * C bits) uint64, out (N * OY * OX, words of FY * FX * C bits) uint64 holding zeros.
@compiled
def bit_patches(image, height, width, channels, kernel, strides, dilation, before, size, out):
    runs, run = (1, kernel[1]) if dilation[1] == 1 else (kernel[1], 1)
    for row in range(out.shape[0]):
        n, oy, ox = row // (size[0] * size[1]), row // size[1] % size[0], row % size[1]
        for fy in range(kernel[0]):
            iy = oy * strides[0] - before[0] + fy * dilation[0]
            if 0 <= iy < height:
                for fx in range(runs):
                    ix = ox * strides[1] - before[1] + fx * dilation[1]
                    first, last = max(ix, 0), min(ix + run, width)
                    place = (fy * kernel[1] + fx * run + first - ix) * channels
                    count = (last - first) * channels
                    copy_bits(image[n * height + iy], first * channels, out[row], place, count)
