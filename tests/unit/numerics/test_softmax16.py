import numpy as np
import pytest

from refq.numerics.softmax16 import softmax16


def test_rows_are_close_to_softmax():
    rng = np.random.default_rng(0)
    codes = rng.integers(-(1 << 15), 1 << 15, (50, 9))
    real = np.exp((codes - codes.max(axis=1, keepdims=True)) * 10 / 65535)
    found = softmax16(codes, 1.0) / 32768
    assert np.abs(found - real / real.sum(axis=1, keepdims=True)).max() < 2e-4


def test_a_lone_code_is_the_largest_code_and_far_codes_are_zero():
    assert softmax16([[-5]], 1.0).tolist() == [[32767]]
    assert softmax16([[32767, -32768]], 100.0).tolist()[0][1] <= 2


def test_live_litert_agrees_on_random_rows():
    pytest.importorskip("ai_edge_litert")
    from tests.peers.litert import Tensor, run, single

    rng = np.random.default_rng(1)
    for width, scale in ((1, 1e-4), (3, 1e-3), (17, 5e-5), (40, 3e-3), (10, 1e-5)):
        x, y = Tensor("x", (9, width), "int16", scale=scale), Tensor("y", (9, width), "int16", scale=2.0**-15)
        codes = rng.integers(-(1 << 15), 1 << 15, (9, width)).astype(np.int16)
        (want,) = run(single("SOFTMAX", [x], [y], {"beta": 1.0}), [codes])
        np.testing.assert_array_equal(softmax16(codes, float(np.float32(scale)) / (10.0 / 65535.0)), want)
