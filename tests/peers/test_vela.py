"""Ethos-U cycles against a live Vela 5.2.0, in an environment of its own.

`pytest -s -m slow tests/peers/test_vela.py` prints the distribution of errors by family of devices, and the worst.
"""

import numpy as np
import pytest

import hwsim
from tests.peers.vela import Comparison, NoVela, command, compare, distribution, rows_of
from tests.peers.vela_networks import NETWORKS

MODELS = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant")
DEVICES = tuple(name for name in hwsim.archs() if name.startswith("ethos-"))
FAMILIES = ("ethos-u55", "ethos-u65", "ethos-u85")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def vela(tmp_path_factory) -> str:
    try:
        return command(tmp_path_factory.mktemp("vela"))
    except NoVela as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", MODELS)
def test_mlperf_tiny_models_are_within_a_fifth(shared, vela, tmp_path, device, name):
    model = shared / "models" / "mlperf_tiny" / f"{name}.tflite"
    found = compare(rows_of(vela, model, device, tmp_path), model, hwsim.load_arch(device))
    assert abs(found.network) < 0.20
    assert found.errors.size == 0 or np.quantile(found.errors, 0.9) < 0.30


@pytest.fixture(scope="module")
def board(vela, tmp_path_factory) -> list[Comparison]:
    """Every network of vela_networks.py on every device; no constant was fitted to them."""
    folder, found = tmp_path_factory.mktemp("networks"), []
    for name, build in NETWORKS.items():
        model = folder / f"{name}.tflite"
        model.write_bytes(build())
        for device in DEVICES:
            rows = rows_of(vela, model, device, folder)
            found.append(compare(rows, model, hwsim.load_arch(device)))
    for family in FAMILIES:
        mine = [c for c in found if c.device.startswith(family)]
        print(f"\n{family} networks      {distribution(np.array([c.network for c in mine]))}")
        print(f"{family} convolutions  {distribution(np.concatenate([c.errors for c in mine]))}")
    for c in sorted(found, key=lambda c: -abs(c.network))[:12]:
        print(f"  {c.model} on {c.device}: {c.network:+.1%}")
    worst = [(error, c, name, share) for c in found for name, error, share in c.convolutions]
    for error, c, name, share in sorted(worst, key=lambda x: -abs(x[0]))[:12]:
        print(f"  {c.model} on {c.device}: {name} {error:+.1%}, {share:.1%} of the network")
    return found


@pytest.mark.parametrize(("family", "worst"), [("ethos-u55", 0.20), ("ethos-u65", 0.20), ("ethos-u85", 0.20)])
def test_networks_of_known_topologies_are_within_a_fifth(board, family, worst):
    known = [c for c in board if c.device.startswith(family) and not c.model.startswith("drawn")]
    assert max(abs(c.network) for c in known) < worst


@pytest.mark.parametrize(("family", "share"), [("ethos-u55", 0.99), ("ethos-u65", 0.96), ("ethos-u85", 0.95)])
def test_nearly_all_convolutions_are_within_three_tenths(board, family, share):
    errors = np.concatenate([c.errors for c in board if c.device.startswith(family)])
    assert (errors < 0.30).mean() > share
    assert np.median(errors) < 0.02


def test_networks_drawn_at_random_are_within_a_fifth_but_for_a_few(board):
    errors = np.abs([c.network for c in board if c.model.startswith("drawn")])
    assert np.quantile(errors, 0.9) < 0.20


def port(name: str, **values: float) -> str:
    lines = "".join(f'{key} = {{ value = {value}, source = "ethos-u-vela" }}\n' for key, value in values.items())
    return f"[microblock.{name}]\n{lines}"


def system(mhz: float, link: float, *tables: str, kib: float = 4096, spills: bool = False) -> str:
    """A specification laid over another: clock, link, memory on chip, ports."""
    source = 'source = "ethos-u-vela"'
    return "\n".join(
        [
            f"clock_mhz = {{ value = {mhz}, {source} }}",
            f"[link]\nbandwidth_mb_per_s = {{ value = {link}, {source} }}",
            f'[[memory]]\nname = "sram"\nholds = "activations"\nsize_kib = {{ value = {kib}, {source} }}',
            f'[[memory]]\nname = "weights"\nholds = "weights"\nsize_kib = {{ value = 0, {source} }}',
            f"[microblock]\nspills = {str(spills).lower()}",
            *tables,
        ]
    )


FLASH = port("far", read_cycles=64, write_cycles=0, reads=2, writes=1)
SYSTEMS = {
    ("ethos-u55-128", "Ethos_U55_Deep_Embedded", "Shared_Sram"): system(200, 100, port("near", reads=8, writes=8)),
    ("ethos-u65-256", "Ethos_U65_High_End", "Dedicated_Sram_256KB"): system(1000, 3750, kib=256, spills=True),
    ("ethos-u65-512", "Ethos_U65_Embedded", "Shared_Sram"): system(500, 500, FLASH),
    ("ethos-u85-256", "Ethos_U85_SYS_DRAM_Low", "Dedicated_Sram_512KB"): system(
        500,
        3750,
        port("near", read_cycles=16, write_cycles=16),
        port("far", reads=24, writes=12),
        kib=512,
        spills=True,
    ),
    ("ethos-u85-512", "Ethos_U85_SYS_Flash_High", "Shared_Sram"): system(500, 500, FLASH),
}
FEW = ("mobilenet_025_96", "residual_48", "inception_96", "keywords_64", "dense_stack", "vgg_32")


@pytest.mark.parametrize("case", SYSTEMS, ids=lambda case: "-".join(case))
@pytest.mark.parametrize("name", FEW)
def test_other_memories_are_a_specification_laid_over_the_device(vela, tmp_path, case, name):
    """Clocks, latencies, bursts in flight and modes of Arm/vela.ini, written into a file of one's own."""
    device, config, mode = case
    model, mine = tmp_path / f"{name}.tflite", tmp_path / "mine.toml"
    model.write_bytes(NETWORKS[name]())
    mine.write_text(f'base = "{device}"\nname = "mine"\n{SYSTEMS[case]}')
    options = ("--config", "Arm/vela.ini", "--system-config", config, "--memory-mode", mode)
    found = compare(rows_of(vela, model, device, tmp_path, options), model, hwsim.load_arch(str(mine)))
    print(f"\n{name} on {device}, {config}, {mode}: network {found.network:+.1%}; {distribution(found.errors)}")
    assert abs(found.network) < 0.20
    assert not found.errors.size or np.median(found.errors) < 0.15
