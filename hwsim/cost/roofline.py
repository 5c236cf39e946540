"""What bounds a layer: the largest of the times it is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.engines.base import Floats


def bounds(compute_us: Floats, memory_us: Floats, overhead_us: Floats, host: NDArray[np.bool_]) -> list[str]:
    """compute | memory | overhead for every layer, host where it does not run on the device."""
    names = np.array(["compute", "memory", "overhead"])
    chosen = names[np.argmax(np.stack([compute_us, memory_us, overhead_us]), axis=0)]
    return ["host" if away else str(name) for name, away in zip(chosen, host, strict=True)]
