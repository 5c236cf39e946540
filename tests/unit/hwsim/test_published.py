"""Edge TPU latencies of real model files against the vendor's table (USB 3, milliseconds)."""

import os
from pathlib import Path

import pytest

import hwsim
import refq

SHARED = Path(os.environ.get("REFQ_SHARED", Path(__file__).parents[4] / "shared"))
PUBLISHED_MS = {"MobileNet": 2.4, "VGG16": 296.0}


@pytest.mark.parametrize("name", PUBLISHED_MS)
def test_edgetpu_latency_is_within_fifteen_percent_of_the_vendor_table(name):
    path = SHARED / "models" / "keras_shapes" / f"{name}.h5"
    if not path.is_file():
        pytest.skip(f"{path} is absent; set REFQ_SHARED to the folder of shared models")
    report = hwsim.estimate(hwsim.from_graph(refq.load(path)), hwsim.load_arch("edgetpu"))
    assert report.latency_ms == pytest.approx(PUBLISHED_MS[name], rel=0.15)
    assert not any("host" in text for text in report.warnings)
