"""Convolutions of float32 images and their gradients, from register blocks; images are padded one at a time.

outputs    rows of a block are outputs of an image row, words the inputs of a kernel row, segments the kernel rows
weights    rows of a block are inputs of a kernel row, words the outputs of an image row, segments the image rows
"""

from __future__ import annotations

from numba import njit

from refq.kernels.compiled import compiled
from refq.kernels.cpu import features
from refq.kernels.float_block import float_block

LANES = 16 if "avx512f" in features() else 8
"""float32 of a vector."""

ROWS = LANES // 2
"""Of a block: 8 x 2 accumulators, 2 operands of B and a broadcast fill 19 of 32 registers, 4 x 2 of them 11 of 16."""

_MANY_BY_2, _FOUR_BY_2, _ONE_BY_2 = (float_block(rows, 2, LANES) for rows in (ROWS, 4, 1))
_MANY_BY_1, _FOUR_BY_1, _ONE_BY_1 = (float_block(rows, 1, LANES) for rows in (ROWS, 4, 1))


@njit(inline="always")
def _block(columns, rows, a, steps, b, b_word, c, c_row, adds):
    """One block of as many of `rows` rows as fit; returns how many.

    steps: bytes between rows, words and segments of A; words, segments
    """
    row, word, segment, words, segments = steps
    if columns == 2:
        if rows >= ROWS:
            _MANY_BY_2(a, row, word, segment, segments, b, b_word, words, c, c_row, adds)
            return ROWS
        if rows >= 4:
            _FOUR_BY_2(a, row, word, segment, segments, b, b_word, words, c, c_row, adds)
            return 4
        _ONE_BY_2(a, row, word, segment, segments, b, b_word, words, c, c_row, adds)
        return 1
    if rows >= ROWS:
        _MANY_BY_1(a, row, word, segment, segments, b, b_word, words, c, c_row, adds)
        return ROWS
    if rows >= 4:
        _FOUR_BY_1(a, row, word, segment, segments, b, b_word, words, c, c_row, adds)
        return 4
    _ONE_BY_1(a, row, word, segment, segments, b, b_word, words, c, c_row, adds)
    return 1


@compiled
def place(image, top, left, padded):
    """padded[top + y, left + x] = image[y, x] as far as it reaches; (H, W, C) both, top and left not negative."""
    for y in range(min(len(image), len(padded) - top)):
        for x in range(min(image.shape[1], padded.shape[1] - left)):
            source, target = image[y, x], padded[top + y, left + x]
            for c in range(len(source)):
                target[c] = source[c]


@compiled
def convolve(x, padded, w, window, tile, y):
    """y[n,oy,ox,o] = sum_{fy,fx,c} padded x[n, oy*sy + fy, ox*sx + fx, c] * w[fy, fx, c, o]

    x (N, H, W, C); padded (H + pads, W + pads, C), its borders 0; y (N, OY, OX, O), channels of both without gaps
    w (panels, FY, FX * C, columns * LANES)      window: stride_y, stride_x, top, left
    tile (ROWS, columns * LANES): scratch of panels that are not full
    """
    stride_y, stride_x, top, left = window
    panels, segments, words, share = w.shape
    images, out_y, out_x, outputs = y.shape
    pitch, step, row = 4 * padded.shape[1] * padded.shape[2], 4 * stride_x * padded.shape[2], 4 * share
    steps = (step, 4, pitch, words, segments)
    for n in range(images):
        place(x[n], top, left, padded)
        for panel in range(panels):
            first = panel * share
            width = min(share, outputs - first)
            weights = w.ctypes.data + panel * segments * words * row
            for oy in range(out_y):
                a = padded.ctypes.data + oy * stride_y * pitch
                c = y.ctypes.data + n * y.strides[0] + oy * y.strides[1] + 4 * first
                ox = 0
                while ox < out_x:  # the last block goes back to be full, and writes some outputs again
                    if out_x - ox < ROWS <= out_x:
                        ox = out_x - ROWS
                    elif out_x - ox < 4 <= out_x:
                        ox = out_x - 4
                    seen, rows = a + ox * step, out_x - ox
                    if width == share:
                        at = c + ox * y.strides[2]
                        ox += _block(share // LANES, rows, seen, steps, weights, row, at, y.strides[2], 0)
                        continue
                    done = _block(share // LANES, rows, seen, steps, weights, row, tile.ctypes.data, row, 0)
                    for r in range(done):
                        for lane in range(width):
                            y[n, oy, ox + r, first + lane] = tile[r, lane]
                    ox += done


@compiled
def add_weight_gradient(dy, x, padded, window, share, dw):
    """dw[fy, fx, c, o] += sum_{n,oy,ox} dy[n,oy,ox,o] * padded x[n, oy*sy + fy, ox*sx + fx, c]

    dy (N, OY, OX, O) and dw (FY, FX * C, O), O a multiple of share; x, padded, window : as in `convolve`
    share : outputs at a time, LANES or twice as many
    """
    stride_y, stride_x, top, left = window
    images, out_y, out_x, outputs = dy.shape
    pitch, step, row = 4 * padded.shape[1] * padded.shape[2], 4 * stride_x * padded.shape[2], 4 * outputs
    steps = (4, step, stride_y * pitch, out_x, out_y)
    for n in range(images):
        place(x[n], top, left, padded)
        for fy in range(len(dw)):
            for first in range(0, outputs, share):
                slopes = dy.ctypes.data + n * out_y * out_x * row + 4 * first
                word = 0
                while word < dw.shape[1]:
                    a = padded.ctypes.data + fy * pitch + 4 * word
                    c = dw.ctypes.data + (fy * dw.shape[1] + word) * row + 4 * first
                    word += _block(share // LANES, dw.shape[1] - word, a, steps, slopes, row, c, row, 1)
