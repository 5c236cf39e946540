"""Reading specifications: every number has a source, every mistake gets one line with its remedy."""

import subprocess
import sys

import pytest

import hwsim
from hwsim.arch.catalog import archs, load_arch
from hwsim.errors import SpecError, UnknownArchError

GOOD = """
name = "mine"
engine = "systolic"
clock_mhz = { value = 100, source = "estimate: test" }
[array]
rows = { value = 8, source = "estimate: test" }
cols = { value = 8, source = "estimate: test" }
dataflow = "os"
precisions = ["w8a8"]
"""


def load(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return load_arch(path)


def test_every_specification_of_the_project_loads():
    assert {"edgetpu", "edgetpu-pcie", "systolic-16x16", "cortex-m4"} <= set(archs())
    assert [load_arch(name).name for name in archs()] == list(archs())


def test_a_specification_loads_from_a_path(tmp_path):
    assert load(tmp_path, GOOD).clock_mhz.value == 100


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("clock_mhz", "clock_ghz", "clock_ghz is not a key; the unit is fixed: use 'clock_mhz' and convert the value"),
        ("dataflow", "dataflw", "array.dataflw is not a key; did you mean 'dataflow'\\?"),
        ('"os"', '"rs"', "array.dataflow: Invalid enum value 'rs'"),
        (', source = "estimate: test" }\n[', " }\n[", "clock_mhz has no source; add source = an id of sources.toml"),
        ('{ value = 100, source = "estimate: test" }', "100", "clock_mhz=100 has no source; write clock_mhz = {"),
        ('"w8a8"', '"int8"', "precision 'int8' is not of the form w8a8"),
        ('dataflow = "os"', 'dataflow = "os"\nmultiplier = "shift"', "array.multiplier: Invalid enum value 'shift'"),
        ("value = 100", "value = nan", "clock_mhz.value=nan must be a number from 0 to"),
        ("value = 100", "value = 0", "clock_mhz.value=0 must be above 0"),
        ("value = 100", 'value = "fast"', "clock_mhz.value='fast' must be a number"),
        ('100, source = "estimate: test"', '100, source = "corl-docs"', "did you mean 'coral-docs'\\?"),
        ('100, source = "estimate: test"', '100, source = "somebody said"', "begin with 'estimate:' or 'derived:'"),
        ("value = 8", "value = 0", "array.rows.value=0 must be a whole number from 1 to 65536"),
        ('engine = "systolic"', "", "missing required field 'engine'"),
        ("value = 100", "value = 1" + "0" * 400, "must be a number from 0 to 1e"),
        ("name =", "name", "is not TOML"),
        ('name = "mine"', "name = 5", "name: Expected 'str', got 'int'"),
        ('name = "mine"', 'name = "mine"\nlink = 3', "link=3 must be a table"),
        ('name = "mine"', 'name = "mine"\nmemory = 3', "memory: Expected 'array', got 'int'"),
        ('"systolic"', '"vector"', "engine='vector' needs a table \\[kernels\\]"),
    ],
)
def test_a_mistake_gets_one_line_with_its_remedy(tmp_path, old, new, text):
    assert old in GOOD
    with pytest.raises(SpecError, match=text) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert "\n" not in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_base_is_overlaid_key_by_key(tmp_path):
    (tmp_path / "parent.toml").write_text(GOOD)
    text = 'base = "parent"\nname = "child"\n[array]\nrows = { value = 4, source = "estimate: test" }\n'
    child = load(tmp_path, text)
    assert child.array is not None
    assert (child.name, child.array.rows.value, child.array.cols.value) == ("child", 4, 8)


def test_a_base_that_leads_in_a_circle_is_refused(tmp_path):
    with pytest.raises(SpecError, match="leads in a circle"):
        load(tmp_path, 'base = "mine"\n' + GOOD)


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(UnknownArchError, match="arch 'edgetpv' is not known; did you mean edgetpu"):
        load_arch("edgetpv")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SpecError, match=r"nowhere.toml: cannot be read"):
        load_arch(tmp_path / "nowhere.toml")


def test_catalog_does_not_import_numpy():
    code = "import sys, hwsim; hwsim.archs(); hwsim.load_arch('edgetpu'); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_resolve():
    assert all(getattr(hwsim, name) is not None for name in hwsim.__all__)
