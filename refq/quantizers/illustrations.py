"""The figures of the survey that explain quantizers, drawn from the quantizers themselves. Needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refq.errors import ShapeError
from refq.graph.qparams import QParams
from refq.quantizers.apply import dequantize_array, quantize_array
from refq.quantizers.blocks import count_blocks, spread
from refq.quantizers.granularity import Granularity, PerChannel, PerChannelGroup, PerGroup, PerTensor
from refq.quantizers.power_of_two import PowerOfTwo
from refq.quantizers.scheme import Scheme
from refq.quantizers.uniform import Uniform

FILTERS = 6
"""As many filters are drawn."""


def draw_figures(folder: str | Path, weight: Any = None, suffix: str = "png") -> tuple[Path, ...]:
    """Write figure1-levels, figure2-mappings and figure3-granularities.

    Parameters
    ----------
    folder : made where it is missing
    weight : a weight tensor, outputs first, for figure 3; default: seeded Gaussian filters of different widths
    suffix : png, svg, pdf ...

    Returns
    -------
    the files

    Notes
    -----
    Gholami et al. 2021, figures 1-3.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    files = tuple(place / f"figure{name}.{suffix}" for name in ("1-levels", "2-mappings", "3-granularities"))
    draw_level_spacing(files[0])
    draw_mappings(files[1])
    draw_granularities(files[2], _example_filters() if weight is None else weight)
    return files


def draw_level_spacing(path: str | Path) -> None:
    """Figure 1: real values against quantized ones, levels equally spaced (uniform) and not (powers of two)."""
    figure = _figure(8, 3.6)
    r = np.linspace(-1.15, 1.15, 4001).astype(np.float32)
    grids = (
        ("uniform", Uniform(bits=3, symmetric=True, narrow=True)),
        ("powers of two", PowerOfTwo(bits=3)),
    )
    for i, (name, grid) in enumerate(grids):
        fitted = Scheme(grid=grid).fit(np.array([-1.0, 1.0], np.float32))
        q = dequantize_array(quantize_array(r, fitted), fitted)
        levels = np.unique(q)
        middles = 0.5 * (levels[1:] + levels[:-1])
        axes = figure.add_subplot(1, 2, i + 1)
        axes.plot(r, r, color="0.7", linewidth=0.8, linestyle="--")
        ends = np.concatenate([[r[0]], middles, [r[-1]]])
        for level, low, high in zip(levels, ends[:-1], ends[1:], strict=True):
            axes.plot([low, high], [level, level], color="C0", linewidth=2)
            axes.plot([-1.25, low], [level, level], color="0.88", linewidth=0.8, zorder=0)
        axes.plot(np.full(len(levels), -1.25), levels, "o", color="C1", clip_on=False, markersize=6)
        axes.set(xlim=(-1.25, 1.2), ylim=(-1.2, 1.2), xlabel="real value r", title=name)
        axes.set_yticks(levels, [f"{level:.3g}" for level in levels])
        axes.spines[["top", "right"]].set_visible(False)
        if i == 0:
            axes.set_ylabel("quantized value Q(r)")
    _write(figure, path)


def draw_mappings(path: str | Path) -> None:
    """Figure 2: an interval of reals onto 8-bit codes, symmetric in the restricted range, and asymmetric."""
    figure = _figure(9, 3)
    cases = (
        ("symmetric", Uniform(symmetric=True, narrow=True).qparams(-1.0, 1.0)),
        ("asymmetric", Uniform().qparams(-0.5, 1.5)),
    )
    for i, (name, grid) in enumerate(cases):
        axes = figure.add_subplot(1, 2, i + 1)
        low, high = ((code - int(grid.zero_point)) * float(grid.scale) for code in (grid.qmin, grid.qmax))

        def across(code: float, grid: QParams = grid) -> float:
            return (code - grid.qmin) / (grid.qmax - grid.qmin)

        zero = across(int(grid.zero_point))
        for y in (1.0, 0.0):
            axes.annotate("", (1.1, y), (-0.1, y), arrowprops={"arrowstyle": "<->", "color": "0.3"})
        axes.vlines(np.linspace(0, 1, 33), -0.03, 0.03, color="0.7", linewidth=0.6)
        axes.annotate(
            "", (1.005, 0.07), (1.06, 0.97), arrowprops={"arrowstyle": "->", "color": "0.6", "linestyle": ":"}
        )
        axes.text(1.06, 0.5, "clipped", color="0.5", fontsize=8)
        ends = ((0.0, f"{low:.2g}", str(grid.qmin)), (1.0, f"{high:.2g}", str(grid.qmax)))
        for x, real, code in (*ends, (zero, "0", f"Z = {int(grid.zero_point)}")):
            colour = "C1" if x == zero else "C0"
            axes.annotate("", (x, 0.06), (x, 0.94), arrowprops={"arrowstyle": "->", "color": colour})
            axes.plot([x, x], [1, 0], "o", color=colour, markersize=6)
            axes.text(x, 1.14, real, ha="center", color=colour)
            axes.text(x, -0.14, code, ha="center", va="top", color=colour)
        axes.text(1.12, 1.0, "r", va="center")
        axes.text(1.12, 0.0, "Q", va="center")
        axes.set_title(f"{name}:  S = {float(grid.scale):.4g}", pad=14)
        axes.set(xlim=(-0.12, 1.2), ylim=(-0.35, 1.3))
        axes.axis("off")
    _write(figure, path)


def draw_granularities(path: str | Path, weight: Any) -> None:
    """Figure 3: weights of a few filters, and the interval that each shares with others.

    Parameters
    ----------
    path : file to write
    weight : real, outputs first

    Raises
    ------
    ShapeError    fewer than two filters of two weights
    """
    whole = np.asarray(weight, np.float32)
    rows = whole.reshape(len(whole), -1)[:FILTERS] if whole.ndim > 1 else whole.reshape(-1, 1)
    count, length = rows.shape
    if count < 2 or length < 2:
        raise ShapeError(f"a tensor of shape {whole.shape} has no filters to compare; it needs two of two weights")
    length = min(length, 144)
    rows = rows[:, :length]
    size = max(1, -(-length // 4))
    choices: tuple[tuple[str, Granularity], ...] = (
        ("layerwise", PerTensor()),
        ("groupwise, 2 filters each", PerChannelGroup(size=2)),
        ("channelwise", PerChannel(0)),
        (f"sub-channelwise, {size} weights each", PerGroup(size=size)),
    )
    figure = _figure(10, 7.5)
    x = np.arange(rows.size)
    first = None
    for i, (name, granularity) in enumerate(choices):
        axes = figure.add_subplot(4, 1, i + 1, sharex=first, sharey=first)
        first = first or axes
        reach, ranges, squared = _reach(rows, granularity)
        axes.fill_between(x, -reach, reach, step="mid", color="C1", alpha=0.3, linewidth=0)
        axes.plot(x, rows.reshape(-1), ".", color="C0", markersize=2)
        for edge in range(1, count):
            axes.axvline(edge * length - 0.5, color="0.6", linewidth=0.8)
        plural = "" if ranges == 1 else "s"
        axes.set_title(f"{name}: {ranges} range{plural}, mean squared error {squared:.2g} at 4 bits", fontsize=10)
        axes.set_xlim(-0.5, rows.size - 0.5)
        axes.set_xticks([(k + 0.5) * length for k in range(count)], [f"filter {k + 1}" for k in range(count)])
        axes.tick_params(axis="x", length=0, labelbottom=i == 3)
        axes.set_ylabel("weight")
    _write(figure, path)


def _reach(rows: NDArray[np.float32], granularity: Granularity) -> tuple[NDArray[np.float64], int, float]:
    """The end of the symmetric interval at every weight, the number of intervals, the mean squared error."""
    grid = Uniform(bits=4, symmetric=True, narrow=True)
    fitted, codes = Scheme(grid=grid, granularity=granularity).quantize(rows)
    block = granularity.block(2)
    ends = fitted.scale.astype(np.float64).reshape(count_blocks(rows.shape, block)) * fitted.qmax
    error = rows.astype(np.float64) - dequantize_array(codes, fitted)
    return np.broadcast_to(spread(ends, block, rows.shape), rows.shape).reshape(-1), ends.size, float((error**2).mean())


def _example_filters() -> NDArray[np.float32]:
    widths = np.array([0.4, 0.5, 1.0, 0.9, 0.25, 0.3])[:, None]
    return (widths * np.random.default_rng(0).standard_normal((FILTERS, 72))).astype(np.float32)


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=120)


def _write(figure: Any, path: str | Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_figure(str(path))
