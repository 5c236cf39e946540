"""The hwsim command. Subcommands import what they need when they run, so that --help stays free of NumPy."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

_SHAPE_HELP = "Sizes of the input without the batch, e.g. 224,224,3; needed where the model leaves them open."
_ZEROS_HELP = (
    "Zeros among a layer's input in percent, NAME=PERCENT, or PERCENT for all; where a device skips or codes them."
)


class Shape(click.ParamType):
    """H,W,C as integers of at least 1."""

    name = "H,W,C"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            sizes = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            sizes = ()
        if not sizes or min(sizes) < 1:
            self.fail(f"{value!r} is not a list of sizes such as 224,224,3", param, ctx)
        return sizes


def _model_options(function: Any) -> Any:
    for option in reversed(
        [
            click.argument("model"),
            click.option("--weights", type=int, default=8, show_default=True, help="Bits of weights."),
            click.option("--activations", type=int, default=8, show_default=True, help="Bits of activations."),
            click.option("--recipe", help="Quantization recipe (.toml or name) that gives both widths instead."),
            click.option("--batch", type=int, default=1, show_default=True),
            click.option("--input-shape", type=Shape(), help=_SHAPE_HELP),
            click.option("--zeros", multiple=True, help=_ZEROS_HELP),
        ]
    ):
        function = option(function)
    return function


def _workload(model: str, zeros: tuple[str, ...], **options: Any) -> Any:
    from hwsim.workload import load_workload

    workload = load_workload(model, **options)
    if not zeros:
        return workload
    from hwsim.zeros import parse_zeros, with_zeros

    return with_zeros(workload, parse_zeros(zeros, workload))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="refq")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Cycles, energy and area of quantized networks on named devices."""


@cli.command()
@_model_options
@click.option("--arch", required=True, help="Name of a device (see `hwsim archs`) or a specification FILE.toml.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--layers/--no-layers", default=True, help="Print the layer table.")
@click.option("--sources", is_flag=True, help="Print each constant of the device with unit and source.")
def estimate(arch: str, form: str, layers: bool, sources: bool, **options: Any) -> None:
    """Estimate MODEL (.h5 or .keras) on a device."""
    from hwsim.arch.catalog import load_arch
    from hwsim.estimate import estimate as compute
    from hwsim.report import text

    device = load_arch(arch)
    report = compute(_workload(**options), device)
    if form == "json":
        click.echo(text.as_json(report))
    elif form == "csv":
        click.echo(text.as_csv(report), nl=False)
    elif sys.stdout.isatty():
        from rich.console import Console

        text.print_rich(report, Console(), layers=layers, sources=sources)
    else:
        click.echo(text.as_table(report, layers=layers, sources=sources))


@cli.command()
@_model_options
@click.option("--arch", "names", required=True, multiple=True, help="Give it once for each device.")
def compare(names: tuple[str, ...], **options: Any) -> None:
    """Totals of MODEL on several devices side by side."""
    from hwsim.arch.catalog import load_arch
    from hwsim.estimate import estimate as compute
    from hwsim.report import text

    devices = [load_arch(name) for name in names]
    workload = _workload(**options)
    click.echo(text.as_comparison([compute(workload, device) for device in devices]))


@cli.command()
def archs() -> None:
    """List the devices: those with a model, then those known by peak throughput and power only."""
    from hwsim.arch.catalog import archs as names
    from hwsim.arch.catalog import load_arch
    from hwsim.arch.entries import entries

    for name in names():
        arch = load_arch(name)
        error = arch.uncertainty.latency_pct if arch.uncertainty is not None else None
        spread = "" if error is None else f"  +-{error.value:.0f} %"
        click.echo(
            f"{name:<22} model      {arch.engine:<10} {', '.join(arch.precisions):<16} "
            f"{arch.clock_mhz.value:g} MHz{spread}"
        )
    for name, entry in entries().items():
        if name not in names():
            click.echo(f"{name:<22} catalogue  {entry.summary}")


@cli.command()
@click.option("--output", "-o", help="Folder for the pictures; only the tables are printed if absent.")
@click.option("--format", "form", type=click.Choice(["png", "svg"]), default="png", show_default=True)
def figures(output: str | None, form: str) -> None:
    """Peak throughput by precision, cost of operations in 45 nm, edge processors: tables and pictures."""
    from hwsim.report import figures as drawn
    from hwsim.report.text import align

    for name, rows in drawn.tables().items():
        click.echo("\n".join([name, *align(rows, left=1), ""]))
    if output is not None:
        for path in drawn.draw(output, form):
            click.echo(f"wrote {path}")


@cli.command()
@click.option("--data", required=True, help="Folder of CSV files with published measurements.")
@click.option("--arch", "names", multiple=True, help="Only these devices; all that have [[measured]] rows if absent.")
@click.option("--model", "files", multiple=True, help="NAME=FILE: the file of a published model name; repeatable.")
@click.option("--fit", is_flag=True, help="Fit the constants marked as fitted, print them, compare with them.")
@click.option("--leave-one-out", is_flag=True, help="Predict each model with constants fitted to the others.")
@click.option(
    "--kernels-of", help="Predict the devices with the cycles of the kernels of this one, at their own clocks."
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--rows", is_flag=True, help="Print every compared row.")
@click.option("--plot", help="Write a scatter plot, .png or .svg.")
def validate(
    data: str,
    names: tuple[str, ...],
    files: tuple[str, ...],
    fit: bool,
    leave_one_out: bool,
    kernels_of: str | None,
    form: str,
    rows: bool,
    plot: str | None,
) -> None:
    """Compare predictions with published measurements."""
    from hwsim.validate import command

    how = {"fit": fit, "leave_one_out": leave_one_out, "kernels_of": kernels_of, "form": form}
    click.echo(command.run(data, names, files, **how, every_row=rows, plot=plot))


@cli.command()
@click.argument("model")
@click.option("--arch", required=True, help="A device with a systolic array, or a specification FILE.toml.")
@click.option("--layer", "layers", multiple=True, help="Name of a layer; give it once for each. All if absent.")
@click.option("--input", "data", help="FILE.npy of inputs; they also calibrate a model that is not quantized.")
@click.option("--recipe", default="int8", show_default=True, help="How a model that is not quantized is quantized.")
@click.option("--input-shape", type=Shape(), help=_SHAPE_HELP)
@click.option("--activity", is_flag=True, help="Count what switches, and scale the energy of the MACs with it.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def simulate(
    model: str,
    arch: str,
    layers: tuple[str, ...],
    data: str | None,
    recipe: str,
    input_shape: tuple[int, ...] | None,
    activity: bool,
    form: str,
) -> None:
    """Step MODEL's real integers through a systolic array; exit code 1 if a sum or a cycle count is not as expected."""
    from hwsim.arch.catalog import load_arch
    from hwsim.report.simulation import as_json, as_table
    from hwsim.simulate import read_input
    from hwsim.simulate import simulate as compute
    from hwsim.workload import load_quantized

    device = load_arch(arch)
    given = None if data is None else read_input(data)
    graph, x = load_quantized(model, given, recipe, input_shape)
    result = compute(graph, x, device, layers, activity, noise=data is None)
    click.echo(as_json(result) if form == "json" else as_table(result))
    if not result.agrees:
        sys.exit(1)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: 0 done, 2 usage or unreadable input (one line on stderr), 1 failure."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    try:
        code = cli.main(args=[a for a in given if a != "--debug"], prog_name="hwsim", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        click.echo(f"hwsim: {' '.join(str(error).split()) or type(error).__name__}", err=True)
        from hwsim.errors import HwsimError

        is_ours = isinstance(error, HwsimError) or any(c.__name__ == "RefqError" for c in type(error).__mro__)
        sys.exit(2 if is_ours else 1)
    sys.exit(code if isinstance(code, int) else 0)
