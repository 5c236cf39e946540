"""The refq command: a thin shell over the functions of the package."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="refq")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Neural networks on three execution paths: float, fake-quant and bit-exact integer."""


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(f"--input-shape {text!r} is not a list of sizes such as 224,224,3") from None


def _array(place: str) -> Any:
    """An array from FILE.npy, or FILE.npz with a key after a colon (the only array if left out)."""
    import numpy as np

    from refq.errors import LoadError

    path, _, key = place.partition(":")
    try:
        data = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LoadError(f"{path}: no .npy or .npz file of numbers: {str(error).partition(chr(10))[0]}") from error
    if isinstance(data, np.ndarray):
        return data
    names = data.files
    if not key and len(names) != 1:
        raise LoadError(f"{path}: holds {', '.join(names)}; choose one with {path}:NAME")
    if key and key not in names:
        raise LoadError(f"{path}: has no array {key!r}; it holds {', '.join(names)}")
    return data[key or names[0]]


@cli.command()
@click.argument("model")
@click.option("--input-shape", help="Sizes without the batch, where the model leaves them open.")
def info(model: str, input_shape: str | None) -> None:
    """Print the graph of MODEL."""
    from refq.io.load import load

    click.echo(str(load(model, input_shape=_shape(input_shape))))


@cli.command()
@click.argument("model")
@click.option("--calibration", required=True, help="FILE.npy or FILE.npz[:NAME], samples along the first axis.")
@click.option("--recipe", default="int8", show_default=True, help="Name, or a .toml file.")
@click.option("--samples", type=int, help="Use only the first N samples.")
@click.option("-o", "--output", required=True, help="The .h5 file to write.")
def quantize(model: str, calibration: str, recipe: str, samples: int | None, output: str) -> None:
    """Quantize MODEL and write it."""
    from refq.io.load import load
    from refq.io.native import save
    from refq.quantization import quantize as compute

    graph = compute(load(model), _as_real(_array(calibration)[:samples]), recipe)
    save(graph, output)
    click.echo(f"{output}: {len(graph.nodes)} nodes, recipe {recipe}")


def _as_real(x: Any) -> Any:
    return x.astype("float32") if x.dtype.kind in "iub" else x


@cli.command()
@click.argument("model")
@click.argument("data")
@click.option("--path", "kind", type=click.Choice(["float", "fake", "integer"]), default="float", show_default=True)
@click.option("--arithmetic", default="litert", show_default=True, help="Integer arithmetic profile.")
@click.option("-o", "--output", required=True, help="The .npy file to write.")
def run(model: str, data: str, kind: str, arithmetic: str, output: str) -> None:
    """Run MODEL on DATA (FILE.npy or FILE.npz[:NAME]); integer data on the integer path are codes."""
    import numpy as np

    from refq.execute import run as compute
    from refq.io.load import load

    x = _array(data)
    y = compute(load(model), x if kind == "integer" else _as_real(x), kind, arithmetic)  # type: ignore[arg-type]
    if isinstance(y, tuple):
        raise click.UsageError(f"{model} has {len(y)} outputs; use refq.run from Python")
    target = Path(output)
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".npy", delete=False) as file:
        np.save(file, y)
    Path(file.name).replace(target)
    click.echo(f"{output}: {y.dtype}{list(y.shape)}")


@cli.command()
@click.argument("model")
@click.argument("data")
@click.option("--arithmetic", default="litert", show_default=True)
def compare(model: str, data: str, arithmetic: str) -> None:
    """Per node of a quantized MODEL: SQNR, and the difference of fake and integer codes."""
    from refq.comparison import compare as compute
    from refq.io.load import load

    click.echo(str(compute(load(model), _as_real(_array(data)), arithmetic=arithmetic)))


@cli.command()
@click.argument("data", required=False)
@click.option(
    "--bits", default=4, show_default=True, type=click.IntRange(1, 16), help="Of quantizers that have widths."
)
@click.option("--plot", help="Write levels over the histogram to this file (matplotlib; one tensor only).")
@click.option("--figures", help="Draw the survey's figures 1-3 into this folder, filters from DATA (matplotlib).")
@click.option("--overhead", is_flag=True, help="What scales of every granularity cost the model DATA.")
@click.option("--group", default=16, show_default=True, type=click.IntRange(1), help="Input channels of a group.")
def quantizers(data: str | None, bits: int, plot: str | None, figures: str | None, overhead: bool, group: int) -> None:
    """List every quantizer; or measure all on DATA (FILE.npy, FILE.npz[:NAME]) or on the weights of a model."""
    if overhead:
        from refq.io.load import load
        from refq.overhead import model_overhead

        if data is None:
            raise click.UsageError("--overhead needs a model")
        click.echo(str(model_overhead(load(data), bits=bits, group=group)))
        return
    if figures is not None:
        from refq.quantizers.illustrations import draw_figures

        for file in draw_figures(figures, None if data is None else _filters(data)):
            click.echo(str(file))
        return
    from refq.compress import huffman_bits
    from refq.quantizers.catalog import quantizer_methods
    from refq.quantizers.figures import compare_quantizers

    if data is None:
        for method in quantizer_methods():
            click.echo(
                f"{method.name} ({method.multiplier}): {method.summary}\n    {method.formula}\n    {method.source}"
            )
        return
    tensors = _tensors(data)
    if plot is not None and len(tensors) != 1:
        raise click.UsageError(f"--plot draws one tensor, {data} has {len(tensors)}; give a .npy file")
    for name, x in tensors.items():
        rows = compare_quantizers(x, bits)
        click.echo(
            f"{name} {list(x.shape)}\n{'quantizer':<18} {'bits':>6} {'SQNR dB':>8} {'MSE':>10} {'max error':>10}"
            f" {'entropy':>8} {'Huffman':>8} {'tables, bytes':>14}"
        )
        for row in rows:
            coded = huffman_bits(row.code_counts) * int(row.code_counts.sum()) / x.size
            click.echo(
                f"{row.name:<18} {row.bits:>6.2f} {row.sqnr_db:>8.2f} {row.mse:>10.3g} {row.max_error:>10.3g}"
                f" {row.entropy:>8.3f} {coded:>8.3f} {row.metadata_bytes:>14}"
            )
        if plot is not None:
            from refq.quantizers.picture import draw_levels

            draw_levels(x, rows, plot)


def _tensors(data: str) -> dict[str, Any]:
    return {data: _array(data)} if ".np" in Path(data).suffix else _weights(data)


def _filters(data: str) -> Any:
    """The first tensor with as many filters, and weights a filter, as a figure shows; else the largest."""
    tensors = list(_tensors(data).values())
    if not tensors:
        raise click.UsageError(f"{data} has no weights to draw")
    fitting = [w for w in tensors if len(w) >= 6 and w.size >= 16 * len(w)]
    return fitting[0] if fitting else max(tensors, key=lambda w: w.size)


def _weights(model: str) -> dict[str, Any]:
    """The real constants of two axes or more: kernels, not biases."""
    from refq.io.load import load

    constants = load(model).constants
    return {name: w for name, w in constants.items() if w.ndim >= 2 and w.dtype.kind == "f"}


@cli.command()
@click.argument("model", required=False)
@click.option("-o", "--output", required=True, help="The folder to make.")
@click.option("--data", help="Input, FILE.npy or FILE.npz[:NAME]; seeded random codes if left out.")
@click.option("--samples", type=int, default=1, show_default=True, help="How many samples of the input.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random codes.")
@click.option("--arithmetic", default="litert", show_default=True, help="Integer arithmetic profile.")
@click.option("--array", "size", help="ROWS,COLS of a systolic array: also write what it reads and gives.")
@click.option("--dataflow", type=click.Choice(["os", "ws"]), default="os", show_default=True)
@click.option("--overlapped", is_flag=True, help="os: a tile's rows leave top row first.")
@click.option("--lanes", type=int, default=1, show_default=True, help="Values a word of the plain tensors.")
@click.option("--lane-order", type=click.Choice(["little", "big"]), default="little", show_default=True)
@click.option("--layer", "layers", multiple=True, help="Only this layer; may be repeated.")
@click.option(
    "--corners", is_flag=True, help="Also layers made to reach ties, limits and ragged sizes; alone without MODEL."
)
@click.option("--coverage", type=float, help="Fail unless this part of the corner bins, 0..1, is reached.")
@click.option("--force", is_flag=True, help="Replace vectors that are there already.")
def vectors(
    model: str | None,
    output: str,
    data: str | None,
    samples: int,
    seed: int,
    arithmetic: str,
    size: str | None,
    dataflow: Any,
    overlapped: bool,
    lanes: int,
    lane_order: Any,
    layers: tuple[str, ...],
    corners: bool,
    coverage: float | None,
    force: bool,
) -> None:
    """Write the golden vectors of a quantized MODEL for RTL: hex memories, headers, manifest, .npz."""
    from refq.io.load import load
    from refq.verify import ArrayOrder, Layout, export_corners, export_vectors, random_codes, vector_coverage

    array = None
    if size is not None:
        sizes = _shape(size) or ()
        if len(sizes) != 2:
            raise click.UsageError(f"--array {size!r} is not ROWS,COLS such as 16,16")
        array = ArrayOrder(rows=sizes[0], cols=sizes[1], dataflow=dataflow, bottom_first=not overlapped)
    layout = Layout(array=array, lanes=lanes, order=lane_order)
    if model is None:
        if not corners:
            raise click.UsageError("give a MODEL, or --corners for the corner layers alone")
        manifest = export_corners(output, arithmetic, layout=layout, force=force)
    else:
        graph = load(model)
        x = random_codes(graph, samples, seed) if data is None else _as_real(_array(data)[:samples])
        chosen = layers or None
        manifest = export_vectors(
            graph, x, output, arithmetic, layout=layout, layers=chosen, corners=corners, seed=seed, force=force
        )
    click.echo(str(manifest))
    if coverage is not None:
        reached = vector_coverage(output)
        click.echo(str(reached))
        reached.require(coverage)


@cli.command()
@click.argument("folder")
@click.option("--dut", required=True, help="Folder of dumped memories (.hex, .mem, .bin, .npy).")
def verify(folder: str, dut: str) -> None:
    """Compare dumps of a design with the vectors in FOLDER: exit code 1 on any difference."""
    from refq.verify import verify_dumps

    verdict = verify_dumps(folder, dut)
    click.echo(str(verdict))
    if not verdict.is_equal:
        raise click.exceptions.Exit(1)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: 0 done, 2 usage or unreadable input (one line on stderr), 1 failure."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = cli.main(args=[a for a in given if a != "--debug"], prog_name="refq", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(1)
    except Exception as error:
        if "--debug" in given:
            raise
        from refq.errors import RefqError

        click.echo(f"refq: {' '.join(str(error).split()) or type(error).__name__}", err=True)
        sys.exit(2 if isinstance(error, RefqError) else 1)
    sys.exit(code if isinstance(code, int) else 0)
