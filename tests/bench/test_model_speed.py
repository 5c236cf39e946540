"""Whole int8 networks, exact under `litert`, against LiteRT's production kernels in the same process, one thread.

Times are processor times of the calling thread, in which both run, so that other processes disturb the ratios little.
"""

from statistics import median
from time import thread_time

import numpy as np
import pytest

import refq
from refq.kernels.cpu import route

litert = pytest.importorskip("ai_edge_litert.interpreter")

MODELS = ("pretrainedResnet_quant", "kws_ref_model", "ad01_int8")
PEERS = {
    "builtin": litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "xnnpack": litert.OpResolverType.AUTO,
}
_ROUNDS = 15


def seconds(call, repeats: int) -> float:
    start = thread_time()
    for _ in range(repeats):
        call()
    return (thread_time() - start) / repeats


def peer(path, resolver: str, x):
    """A call that runs LiteRT on x."""
    interpreter = litert.Interpreter(str(path), experimental_op_resolver_type=PEERS[resolver], num_threads=1)
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, x)
    interpreter.invoke()
    return interpreter.invoke


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("batch", "resolver"), [(1, "builtin"), (64, "builtin"), (1, "xnnpack"), (64, "xnnpack")])
def test_images_per_second(benchmark, shared, name, batch, resolver):
    path = shared / "models" / "mlperf_tiny" / f"{name}.tflite"
    graph = refq.load(path)
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(0).integers(-128, 128, (batch, *shape)).astype(np.int8)
    plan = refq.compile(graph)
    codes = {graph.inputs[0]: x}
    theirs = peer(path, resolver, x)
    repeats = 40 if batch == 1 else 4
    benchmark.pedantic(lambda: plan.run(codes), rounds=5, iterations=repeats, warmup_rounds=2)
    pairs = [(seconds(lambda: plan.run(codes), repeats), seconds(theirs, repeats)) for _ in range(_ROUNDS)]
    ours, other = (median(pair[i] for pair in pairs) for i in (0, 1))
    ratio = median(b / a for a, b in pairs)
    print(
        f"\n{name}, batch {batch}: refq {batch / ours:,.0f} images/s, LiteRT {resolver} {batch / other:,.0f}; "
        f"ratio {ratio:.2f} ({route()}, all outputs exact)"
    )
    benchmark.extra_info["ratio"] = ratio
    if (batch, resolver) == (1, "builtin") and route() == "avx512vnni":
        assert ratio > 0.8  # the claim is 1.0; the rest is what a shared machine may lose
