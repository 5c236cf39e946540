"""Levels over the histogram of a tensor, one panel a quantizer. Needs matplotlib (extra `plot`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from refq.quantizers.figures import Figures


def draw_levels(x: Any, rows: Sequence[Figures], path: str) -> None:
    """Write a picture: the histogram of `x`, and a line at every level that its codes use.

    Parameters
    ----------
    x : the tensor
    rows : results of `compare_quantizers`
    path : file to write; its suffix chooses the format

    Notes
    -----
    Gholami et al. 2021, figures 1-3, redrawn for any data.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 3
    lines = -(-len(rows) // columns)
    figure: Any = Figure(figsize=(4 * columns, 2 * lines), layout="constrained")
    values = np.asarray(x, np.float64).reshape(-1)
    for i, row in enumerate(rows):
        axes = figure.add_subplot(lines, columns, i + 1)
        axes.hist(values, bins=80, color="0.8")
        for level in np.unique(row.reals)[:512]:
            axes.axvline(float(level), color="C0", linewidth=0.6)
        axes.set_title(f"{row.name}: {row.bits:g} bits, {row.sqnr_db:.1f} dB", fontsize=8)
        axes.set_yticks([])
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_figure(path)
