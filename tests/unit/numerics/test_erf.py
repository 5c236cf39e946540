import math

import numpy as np

from refq.numerics.erf import erf


def test_erf_equals_the_standard_library_to_its_stated_error():
    x = np.concatenate([np.linspace(-7, 7, 20011), [0.0, 1e-300, -1e-9, np.inf, -np.inf]])
    exact = np.array([math.erf(v) for v in x])
    assert np.abs(erf(x) - exact).max() <= 1e-14


def test_erf_keeps_the_floating_type():
    assert erf(np.ones(3, np.float32)).dtype == np.float32
