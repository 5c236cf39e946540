"""Layers on the stepped arrays give refq's sums, for every kind of geometry, grid and dataflow."""

import numpy as np
import pytest
from msgspec.structs import replace

import hwsim
import refq
from hwsim.engines.base import columns
from hwsim.engines.systolic import best_mapping, cycles
from hwsim.errors import PrecisionError, SpecError, WorkloadError
from hwsim.simulate import gemms, read_input, simulate, simulate_layer
from hwsim.workload import Layer, integer_layers
from refq.graph import Graph, Node, QParams, TensorSpec

ARCH = hwsim.load_arch("systolic-16x16")


def on(flow, overlap, rows=4, cols=3, arch=ARCH):
    array = arch.array
    array = replace(array, rows=replace(array.rows, value=rows), cols=replace(array.cols, value=cols))
    return replace(arch, array=replace(array, dataflow=flow, overlap=overlap))


def one_layer(op, x_shape, w_shape, attrs, x_grid, w_grid, seed=0):
    """A quantized graph of one layer with a bias, and codes for its input."""
    rng = np.random.default_rng(seed)

    def codes(shape, grid):
        if grid.bits == 1:
            return rng.choice([-1, 1], shape).astype(np.int8)
        return rng.integers(grid.qmin, grid.qmax + 1, shape).astype(grid.dtype)

    outputs = w_shape[3] if op == "DepthwiseConv2D" else w_shape[0]
    node = Node(name="layer", op=op, inputs=("x", "w", "b"), outputs=("y",), attrs=attrs)
    from refq.layers.registry import layer_for

    y_shape = layer_for(node).infer_shape(x_shape, w_shape, (outputs,))
    graph = Graph(
        name="one",
        nodes=(node,),
        inputs=("x",),
        outputs=("y",),
        tensors={
            "x": TensorSpec(name="x", shape=(None, *x_shape[1:]), qparams=x_grid),
            "w": TensorSpec(name="w", shape=w_shape, qparams=w_grid),
            "b": TensorSpec(name="b", shape=(outputs,), qparams=QParams(scale=1.0, bits=32)),
            "y": TensorSpec(name="y", shape=(None, *y_shape[1:]), qparams=QParams(scale=99.0)),
        },
        constants={"w": codes(w_shape, w_grid), "b": rng.integers(-999, 999, outputs).astype(np.int32)},
    )
    return graph, codes(x_shape, x_grid)


INT8, UINT8 = QParams(scale=1.0, zero_point=-5), QParams(scale=1.0, zero_point=130, signed=False)
WEIGHTS, NIBBLE, SIGN = QParams(scale=1.0), QParams(scale=1.0, bits=4), QParams(scale=1.0, bits=1)
SAME = {"padding": "same"}
CASES = {
    "dense": ("Dense", (3, 7), (5, 7), {}, INT8, WEIGHTS),
    "strided, padded": ("Conv2D", (2, 6, 5, 3), (4, 3, 3, 3), {**SAME, "strides": (2, 1)}, INT8, WEIGHTS),
    "dilated": ("Conv2D", (1, 7, 7, 2), (3, 2, 3, 2), {"dilation": (2, 2)}, INT8, WEIGHTS),
    "grouped": ("Conv2D", (1, 5, 5, 6), (4, 3, 3, 3), {**SAME, "groups": 2}, INT8, WEIGHTS),
    "depthwise": ("DepthwiseConv2D", (1, 5, 6, 3), (1, 3, 3, 6), SAME, INT8, WEIGHTS),
    "unsigned": ("Conv2D", (1, 5, 5, 2), (3, 3, 3, 2), SAME, UINT8, QParams(scale=1.0, zero_point=7, signed=False)),
    "4 bits": ("Conv2D", (1, 5, 5, 3), (3, 3, 3, 3), SAME, QParams(scale=1.0, zero_point=3, bits=4), NIBBLE),
    "binary": ("Conv2D", (1, 5, 5, 9), (3, 3, 3, 9), SAME, SIGN, SIGN),
    "binary weights": ("Conv2D", (1, 5, 5, 3), (3, 3, 3, 3), SAME, INT8, SIGN),
}


@pytest.mark.parametrize("flow", ["os", "ws", "is"])
@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_sums_equal_and_cycles_follow_the_formula(case, overlap, flow):
    graph, x = one_layer(*CASES[case])
    (layer,), others = integer_layers(graph, x)
    result = simulate_layer(layer, on(flow, overlap))
    assert others == ()
    assert (result.wrong, result.cycles) == (0, result.closed_form)
    assert result.sums == layer.sums.size
    assert result.macs == layer.nest.macs
    assert result.precision == {"4 bits": "int4", "binary": "binary"}.get(case, "int8")


@pytest.mark.parametrize(("case", "precision", "lanes"), [("4 bits", "2xint4", 2), ("binary", "binary", 64)])
@pytest.mark.parametrize("flow", ["os", "ws", "is"])
def test_packed_operands_are_stepped_in_the_cycles_the_estimate_counts(case, precision, lanes, flow):
    arch = on(flow, True, arch=hwsim.load_arch("systolic-16x16-packed"))
    graph, x = one_layer(*CASES[case])
    (layer,), _ = integer_layers(graph, x)
    result = simulate_layer(layer, arch)
    assert (result.precision, result.wrong) == (precision, 0)
    plain = Layer(name="a", op="Conv2D", nest=layer.nest, weight_bits=layer.w.bits, activation_bits=layer.x.bits)
    done = cycles(columns([plain]), arch)
    assert result.cycles == done.compute[0] + done.fill[0]
    words = -(-layer.nest.C * 9 // lanes)
    assert result.cycles == sum(best_mapping(25, 3, words, 4, 3, flow, True))


@pytest.mark.parametrize("case", CASES)
def test_products_add_up_to_the_sums_without_an_array(case):
    graph, x = one_layer(*CASES[case])
    (layer,), _ = integer_layers(graph, x)
    a, b, behind = gemms(layer)
    assert np.array_equal(np.moveaxis(a @ b + behind, 0, 1).reshape(layer.sums.shape), layer.sums)


def test_a_wrong_sum_is_found():
    graph, x = one_layer(*CASES["dense"])
    (layer,), _ = integer_layers(graph, x)
    layer.sums[1, 2] += 1
    assert simulate_layer(layer, on("ws", False)).wrong == 1


def test_constant_inputs_switch_less_than_random_ones():
    graph, x = one_layer(*CASES["strided, padded"])
    calm, busy = (simulate(graph, codes, on("ws", True), activity=True).layers[0] for codes in (x * 0 - 5, x))
    assert calm.activity.real_zero_pct == 100
    assert calm.activity_factor < busy.activity_factor
    assert calm.activity_energy_uj < busy.activity_energy_uj
    row = hwsim.estimate(hwsim.from_graph(graph, len(x)), on("ws", True)).layers[1]
    assert busy.energy_uj == row.energy_uj.total
    assert busy.activity_energy_uj - busy.energy_uj == pytest.approx(row.energy_uj.mac * (busy.activity_factor - 1))


def test_estimate_equals_the_array_where_nothing_else_is_slower():
    graph, x = one_layer("Conv2D", (1, 12, 12, 16), (16, 3, 3, 16), SAME, INT8, WEIGHTS)
    (layer,) = simulate(graph, x, ARCH).layers
    assert layer.estimate == layer.cycles == layer.closed_form


def test_a_layer_chosen_by_name_runs_alone_and_unknown_names_are_refused():
    graph, x = one_layer(*CASES["dense"])
    assert [la.name for la in simulate(graph, x, ARCH, ["layer"]).layers] == ["layer"]
    with pytest.raises(WorkloadError, match="'one' has no multiply-accumulate layer 'lair'; known are layer"):
        simulate(graph, x, ARCH, ["lair"])


def test_wide_operands_and_other_engines_are_refused():
    graph, x = one_layer("Dense", (3, 7), (5, 7), {}, QParams(scale=1.0, bits=16), WEIGHTS)
    (layer,), _ = integer_layers(graph, x)
    with pytest.raises(PrecisionError, match="'layer' is w8a16; the stepped arrays take at most 8 bits"):
        simulate_layer(layer, ARCH)
    with pytest.raises(SpecError, match="cortex-m4 has engine 'vector'; only systolic arrays can be stepped"):
        simulate_layer(layer, hwsim.load_arch("cortex-m4"))


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("flow", ["os", "ws", "is"])
def test_direct_mapping_steps_the_taps_of_a_window_one_after_the_other(flow, overlap):
    arch = on(flow, overlap)
    direct = replace(arch, array=replace(arch.array, mapping="direct"))
    for name in CASES:
        graph, x = one_layer(*CASES[name])
        layer = simulate_layer(integer_layers(graph, x)[0][0], direct)
        assert layer.wrong == 0, name
        assert layer.cycles == layer.closed_form, name


@pytest.mark.parametrize("content", [b"", b"not numpy", None])
def test_unreadable_inputs_are_named(tmp_path, content):
    file = tmp_path / "x.npy"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WorkloadError, match=r"x\.npy: cannot be read as \.npy"):
        read_input(str(file))


@pytest.mark.parametrize("flow", ["os", "ws", "is"])
@pytest.mark.parametrize("name", ["kws_ref_model.tflite", "pretrainedResnet_quant.tflite"])
def test_every_layer_of_trained_networks_gives_refq_sums(shared, name, flow):
    graph = refq.load(shared / "models" / "mlperf_tiny" / name)
    x = np.random.default_rng(3).standard_normal((1, *graph.tensors[graph.inputs[0]].shape[1:])).astype(np.float32)
    result = simulate(graph, x, on(flow, True, 16, 16))
    assert len(result.layers) == 10
    assert result.agrees
