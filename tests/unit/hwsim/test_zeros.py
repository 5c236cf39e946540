"""Shares of zeros that the user states."""

import pytest
from click.testing import CliRunner

import hwsim
from hwsim.cli import cli
from hwsim.engines.base import columns
from hwsim.errors import WorkloadError
from hwsim.workload import from_layers
from hwsim.zeros import parse_zeros, with_zeros
from models import builders
from tests.unit.hwsim.small_layers import add, conv

NET = from_layers([conv(8, 8, 4, name="first"), add(128), conv(8, 8, 4, name="last")], "net")


def test_one_number_is_for_all_layers_with_products_and_a_name_for_one():
    assert parse_zeros(["40"], NET) == {"first": 0.4, "last": 0.4}
    assert parse_zeros(["40", "last=75"], NET) == {"first": 0.4, "last": 0.75}
    read = columns(with_zeros(NET, {"last": 0.75}).layers).zeros
    assert [str(share) for share in read] == ["nan", "nan", "0.75"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["much"], "--zeros much is not PERCENT or NAME=PERCENT"),
        (["lost=3"], "zeros of layer 'lost': 'net' has none; the nearest is"),
        (["last=101"], r"zeros of layer 'last' \(=101 %\) lie outside 0 to 100 %"),
    ],
)
def test_what_is_no_share_is_named(given, text):
    with pytest.raises(WorkloadError, match=text):
        with_zeros(NET, parse_zeros(given, NET))


def test_more_zeros_cost_less_energy_and_traffic_on_a_chip_that_skips_them(tmp_path):
    builders()["resnet8"]().save(tmp_path / "net.h5", shape_only=True)
    command = ["estimate", str(tmp_path / "net.h5"), "--arch", "eyeriss", "--no-layers", "--format", "json"]
    few, many = (CliRunner().invoke(cli, [*command, "--zeros", share]) for share in ("10", "90"))
    assert few.exit_code == many.exit_code == 0
    energy = [float(run.output.split('"energy_mj":')[1].split(",")[0]) for run in (few, many)]
    assert energy[0] > energy[1]


def test_zeros_change_nothing_on_a_chip_that_does_not_skip_them():
    arch = hwsim.load_arch("edgetpu")
    assert hwsim.estimate(NET, arch) == hwsim.estimate(with_zeros(NET, {"first": 0.9, "last": 0.9}), arch)
