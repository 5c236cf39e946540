from dataclasses import replace

import numpy as np
import pytest

import refq
from refq.errors import CalibrationError, GraphError, LoadError, RangeError, ShapeError
from refq.graph import Node
from refq.quantizers import (
    ArbitraryLevels,
    PerChannelGroup,
    PerTensor,
    Recipe,
    Scheme,
    Ternary,
    Uniform,
    Vectors,
    dequantize_array,
    find_recipe,
    quantize_array,
)
from refq.quantizers.catalog import quantizer_methods
from refq.quantizers.ranges import Percentile
from tests.unit.small_graphs import assemble, images, residual


@pytest.fixture(scope="module")
def quantized():
    return refq.quantize(residual(), images(32))


def test_the_integer_path_holds_integers_only(quantized):
    values = refq.trace(quantized, images(4), path="integer")
    assert {array.dtype for array in values.values()} == {np.dtype(np.int8)}


def test_the_integer_path_stays_close_to_float(quantized):
    float_output = refq.run(quantized, images(16), path="float")
    integer_output = refq.run(quantized, images(16), path="integer")
    span = float_output.max() - float_output.min()
    assert np.abs(float_output - integer_output).max() < 0.05 * span


def test_fake_and_integer_agree_within_one_step_at_every_node(quantized):
    assert all(row.max_step <= 1 for row in refq.compare(quantized, images(16)).rows)


def test_codes_in_give_codes_out_and_equal_the_dequantized_run(quantized):
    x = images(4)
    grid_in, grid_out = quantized.tensors["x"].qparams, quantized.tensors["y"].qparams
    codes = np.clip(np.trunc(x / grid_in.scale + np.copysign(0.5, x)) + grid_in.zero_point, -128, 127).astype(np.int8)
    out = refq.run(quantized, codes, path="integer")
    assert out.dtype == np.int8
    real = (out.astype(np.int32) - grid_out.zero_point) * grid_out.scale
    np.testing.assert_array_equal(refq.run(quantized, x, path="integer"), real.astype(np.float32))


def test_biases_are_int32_at_the_product_of_scales(quantized):
    node = quantized.nodes[0]
    x, w, b = (quantized.tensors[name].qparams for name in node.inputs)
    assert b.bits == 32
    assert b.is_symmetric
    np.testing.assert_array_equal(b.scale, x.scale * w.scale)


def test_a_layer_that_moves_codes_shares_its_inputs_grid(quantized):
    assert quantized.tensors["flat"].qparams == quantized.tensors["add"].qparams


def test_padding_uses_the_zero_point_not_zero():
    shifted = refq.quantize(residual(), images(32) + 3.0)  # zero point far from 0
    assert abs(int(shifted.tensors["x"].qparams.zero_point)) > 50
    assert all(row.max_step <= 1 for row in refq.compare(shifted, images(4) + 3.0).rows)


def test_a_channel_with_tiny_weights_and_a_large_bias_keeps_its_bias():
    graph = residual()
    kernel, bias = graph.constants["conv/kernel"].copy(), graph.constants["conv/bias"].copy()
    kernel[0], kernel[1], bias[:2] = 1e-12, 0.0, 3.0
    graph = replace(graph, constants={**graph.constants, "conv/kernel": kernel, "conv/bias": bias})
    quantized = refq.quantize(graph, images(32))
    real, integer = (refq.trace(quantized, images(4), path=p)["act"] for p in ("float", "integer"))
    grid = quantized.tensors["act"].qparams
    back = (integer.astype(float) - int(grid.zero_point)) * float(grid.scale)
    assert np.abs(back - real)[..., :2].max() <= 0.51 * float(grid.scale)


def test_calibration_in_batches_equals_calibration_at_once():
    x = images(10)
    whole, parts = refq.quantize(residual(), x), refq.quantize(residual(), iter([x[:3], x[3:]]))
    for name, spec in whole.tensors.items():
        if spec.qparams is not None:
            np.testing.assert_allclose(spec.qparams.scale, parts.tensors[name].qparams.scale, rtol=1e-5)


def test_four_bit_weights_run_on_all_paths():
    quantized = refq.quantize(residual(), images(32), recipe="w4a8")
    assert quantized.tensors["conv_1/kernel"].qparams.qmax == 7
    assert all(row.max_step <= 1 for row in refq.compare(quantized, images(8)).rows)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (np.zeros((0, 6, 6, 3), np.float32), CalibrationError, "holds no samples"),
        ([], CalibrationError, "holds no samples"),
        (np.zeros((4, 6, 5, 3), np.float32), ShapeError, r"shape \(4, 6, 5, 3\), expected \(batch, 6, 6, 3\)"),
        (np.full((1, 6, 6, 3), np.nan, np.float32), CalibrationError, "calibration of 'x' .* NaN"),
        (3, CalibrationError, "neither an array nor an iterable"),
    ],
)
def test_unusable_calibration_data_is_refused(data, error, text):
    with pytest.raises(error, match=text):
        refq.quantize(residual(), data)


def test_quantizing_twice_and_running_unquantized_are_refused(quantized):
    with pytest.raises(GraphError, match="quantized already"):
        refq.quantize(quantized, images(2))
    with pytest.raises(GraphError, match="is not quantized"):
        refq.run(residual(), images(2), path="integer")


def test_wrong_inputs_are_named(quantized):
    with pytest.raises(ShapeError, match="input 'x' of 'small'"):
        refq.run(quantized, np.zeros((2, 6, 6, 4), np.float32))
    with pytest.raises(RangeError, match="integer input is taken as codes"):
        refq.run(quantized, np.full((1, 6, 6, 3), 300), path="integer")
    with pytest.raises(RangeError, match="path='int8' is not one of float, fake, integer"):
        refq.run(quantized, images(1), path="int8")
    with pytest.raises(RangeError, match="arithmetic='lite' is unknown"):
        refq.run(quantized, images(1), path="integer", arithmetic="lite")


def test_recipes_come_from_files_and_wrong_keys_are_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[weights]\nbits = 6\ngranularity = "per_tensor"\n')
    recipe = find_recipe(path)
    assert (recipe.name, recipe.weights.grid.bits, recipe.activations.grid.bits) == ("mine", 6, 8)
    quantized = refq.quantize(residual(), images(8), recipe=path)
    assert quantized.tensors["conv/kernel"].qparams.axis is None
    assert all(row.max_step <= 1 for row in refq.compare(quantized, images(8)).rows)
    path.write_text("[weights]\nbit = 6\n")
    with pytest.raises(LoadError, match=r"mine\.toml: unknown key weights\.bit; keys of Uniform are .*, bits"):
        find_recipe(path)
    with pytest.raises(RangeError, match="recipe='int7' is unknown; recipes are int8"):
        find_recipe("int7")


def readers_of(*readers):
    """x through a dense layer and a reshape into layers of the given kinds."""
    constants = {"w": np.ones((4, 4), np.float32), "half": np.float32([0.5]), "one": np.ones(4, np.float32)}
    nodes = [
        Node(op="Dense", name="dense", inputs=("x", "w"), outputs=("h",)),
        Node(op="Reshape", name="move", inputs=("h",), outputs=("m",), attrs={"shape": (0, 1, 4)}),
        Node(op="Multiply", name="half", inputs=("m", "half"), outputs=("s",)),
    ]
    for i, op in enumerate(readers):
        parameters = ("one", "one") if op == "LayerNormalization" else ()
        nodes.append(Node(op=op, name=f"reader{i}", inputs=("s", *parameters), outputs=(f"y{i}",)))
    outputs = tuple(f"y{i}" for i in range(len(readers)))
    shapes = {"x": (1, 4), "h": (1, 4), **dict.fromkeys(("m", "s", *outputs), (1, 1, 4))}
    return assemble(nodes, shapes, constants, outputs=outputs)


@pytest.mark.parametrize(
    ("readers", "bits"),
    [
        (("Softmax",), 12),
        (("LayerNormalization",), 20),
        (("Softmax", "LayerNormalization"), 20),
        (("Softmax", "Relu"), 8),
        (("Tanh",), 8),
    ],
)
def test_intermediate_bits_reach_back_over_moves_and_constant_factors(readers, bits):
    recipe = Recipe(name="wide", intermediate_bits={"Softmax": 12, "LayerNormalization": 20})
    x = np.random.default_rng(0).uniform(0, 1, (8, 4)).astype(np.float32)
    graph = refq.quantize(readers_of(*readers), x, recipe=recipe)
    grids = {name: graph.tensors[name].qparams for name in ("x", "h", "m", "s", "y0")}
    assert {name: grid.bits for name, grid in grids.items()} == {"x": 8, "h": bits, "m": bits, "s": bits, "y0": 8}
    assert grids["h"].is_symmetric == (bits > 8)


def test_intermediate_bits_come_from_a_file_too(tmp_path):
    path = tmp_path / "wide.toml"
    path.write_text("[intermediate_bits]\nSoftmax = 16\n")
    assert find_recipe(path).intermediate_bits == {"Softmax": 16}
    path.write_text("[intermediate_bits]\nSoftmax = 33\n")
    with pytest.raises(LoadError, match=r"intermediate_bits.Softmax=33 must be an integer in 2..32"):
        find_recipe(path)
    path.write_text("intermediate_bits = 16\n")
    with pytest.raises(LoadError, match="intermediate_bits must be a table"):
        find_recipe(path)
    with pytest.raises(RangeError, match=r"intermediate_bits of Gelu=1 is outside 2..32"):
        Recipe(name="narrow", intermediate_bits={"Gelu": 1})


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh", "Softmax"])
def test_sixteen_bit_activations_take_the_grids_of_litert(op, tmp_path):
    """Symmetric, scale 2**-15: the only output grid of its int16 kernels."""
    recipe = tmp_path / "int16.toml"
    recipe.write_text('name = "int16"\n[activations]\nbits = 16\nsymmetric = true\n')
    node, shape = Node(op=op, name="node", inputs=("x",), outputs=("y",)), (1, 6, 6, 3)
    graph = assemble([node], {"x": shape, "y": shape}, {})
    q = refq.quantize(graph, images(32), recipe=str(recipe))
    assert q.tensors["y"].qparams.scale == np.float32(2.0**-15)
    assert q.tensors["y"].qparams.is_symmetric
    x = images(8)
    assert np.abs(refq.run(q, x, path="integer") - refq.run(q, x, path="float")).max() < 1e-3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[weights]\ngrid = "APot"', r"weights\.grid='APot' is not one of .*APoT, .*Vectors"),
        ('[activations]\ngrid = "APoT"', r"activations\.grid='APoT' is not one of Uniform"),
        ('[weights]\ngrid = "APoT"\nbits = 4.0', r"weights\.bits=4\.0 must be of type int"),
        ('[weights]\ngrid = "APoT"\nbits = 99', r"weights: bits=99 .* is outside"),
        ('[weights]\ngrid = "APoT"\nrange = "mse"', r"weights\.range='mse' has no meaning for APoT"),
        ('[weights]\ngrid = "Vectors"\nwidths = 4', r"weights\.widths; keys of Vectors are grid, granularity, width"),
        ('[weights]\ngrid = "Vectors"\nsharing = "none"', r"weights\.sharing='none' must be one of all, position"),
        ('[weights]\ngrid = "Vectors"\ngranularity = "per_channel"', r"must be per_tensor for Vectors"),
        ('[weights]\ngrid = "ArbitraryLevels"', r"weights\.levels is missing"),
        ('[weights]\ngrid = "ArbitraryLevels"\nlevels = [1, "a"]', r"weights\.levels=\[1, 'a'\] must be a list of"),
        (
            '[weights]\ngranularity = "per_group:0"',
            r"weights\.granularity='per_group:0' must be per_tensor, .*per_group",
        ),
        ('[weights]\ngranularity = "per_group"', r"weights\.granularity='per_group' must be"),
        ("[weights]\ngranularity = 3", r"weights\.granularity=3 must be"),
        ('[activations]\ngranularity = "per_channel"', r"activations\.granularity='per_channel' must be per_tensor"),
        ('[weights]\nrange = "best"', r"range='best' is unknown; ranges are minmax"),
        ("[weights]\nrange = 3", r"weights\.range=3 must be of type str"),
        ("weights = 3", r"weights must be a table"),
    ],
)
def test_what_a_recipe_file_gets_wrong_is_named_with_what_is_legal(text, message, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(LoadError, match=rf"mine\.toml: .*{message}"):
        find_recipe(path)


def test_a_recipe_file_names_any_grid_with_its_parameters(tmp_path):
    path = tmp_path / "mine.toml"
    for method in quantizer_methods():
        needed = "levels = [-1, 0, 2.5]\n" if method.name == "ArbitraryLevels" else ""
        path.write_text(f'[weights]\ngrid = "{method.name}"\n{needed}')
        assert type(find_recipe(path).weights.grid) is method.kind
    path.write_text(
        '[weights]\ngrid = "Vectors"\nwidth = 2\nbits = 5\nstages = 3\nsharing = "position"\nstart = "best"\n'
        '[activations]\nsymmetric = true\nrange = "percentile:99.9"\n'
    )
    recipe = find_recipe(path)
    assert recipe.weights.grid == Vectors(width=2, bits=5, stages=3, sharing="position", start="best")
    assert recipe.weights.granularity == PerTensor()
    assert recipe.activations == Scheme(grid=Uniform(symmetric=True), range=Percentile(percent=99.9))
    path.write_text('[weights]\ngrid = "Ternary"\nthreshold = 1\ngranularity = "per_channel_group:8"\n')
    assert find_recipe(path).weights == Scheme(grid=Ternary(threshold=1.0), granularity=PerChannelGroup(size=8))
    path.write_text('[weights]\ngrid = "ArbitraryLevels"\nlevels = [-1, 0, 2.5]\nscaled = true\n')
    assert find_recipe(path).weights.grid == ArbitraryLevels(levels=(-1.0, 0.0, 2.5), scaled=True)


@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel", "per_channel_group:3"])
def test_asymmetric_weights_keep_their_zero_points_beside_a_bias(granularity, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f'[weights]\nsymmetric = false\nnarrow = false\ngranularity = "{granularity}"\n')
    graph = residual()
    lifted = {name: np.abs(w) for name, w in graph.constants.items()}
    graph = replace(graph, constants=lifted)
    quantized = refq.quantize(graph, images(8), path)
    grid = quantized.tensors["conv/kernel"].qparams
    assert np.all(grid.zero_point == -128)
    folded = quantized.constants["conv/kernel"]
    error = np.abs(dequantize_array(quantize_array(folded, grid), grid) - folded)
    assert error.max() <= 0.51 * grid.scale.max()
    assert all(row.max_step <= 1 for row in refq.compare(quantized, images(8)).rows)
