"""Masks of minus infinity brought to the range of their scores."""

import numpy as np
import pytest

import refq
from refq.graph import Node
from refq.transforms import saturate_masks
from tests.unit.small_graphs import assemble

HIDDEN = np.float32(-1e9)


def masked(mask, softmax="Softmax", axis=-1, readers=1):
    """scores x + mask into a softmax."""
    nodes = [
        Node(op="Add", name="add", inputs=("x", "mask"), outputs=("sum",)),
        *([Node(op="Relu", name="relu", inputs=("sum",), outputs=("z",))] if readers > 1 else []),
        Node(op=softmax, name="softmax", inputs=("sum",), outputs=("y",), attrs={"axis": axis} if axis else {}),
    ]
    outputs = ["y", "z"] if readers > 1 else ["y"]
    shapes = dict.fromkeys(("x", "sum", "y", *outputs), (1, 4, 4))
    return assemble(nodes, shapes, {"mask": mask}, outputs=outputs)


def causal():
    return np.triu(np.full((4, 4), HIDDEN), 1)


def test_hidden_places_stop_16_below_the_range_of_the_scores():
    graph, limits = saturate_masks(masked(causal()), {"x": (-3.0, 5.0), "sum": (-1e9, 5.0), "y": (0.0, 1.0)})
    np.testing.assert_array_equal(graph.constants["mask"], np.triu(np.full((4, 4), -24.0), 1))
    assert limits["sum"] == (-19.0, 5.0)
    assert limits["x"] == (-3.0, 5.0)


@pytest.mark.parametrize("axis", [-1, 1])
def test_softmax_keeps_its_weights(axis):
    x = np.random.default_rng(0).uniform(-3, 5, (20, 4, 4)).astype(np.float32)
    low_row = np.array([[0.5], [0.5], [-40], [0.5]], np.float32)
    before = masked(causal() + (low_row if axis == -1 else low_row.T), axis=axis)
    after, _ = saturate_masks(before, {"x": (-3.0, 5.0), "sum": (-1e9, 5.5)})
    assert not np.array_equal(after.constants["mask"], before.constants["mask"])
    np.testing.assert_allclose(refq.run(after, x), refq.run(before, x), atol=3e-7)


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(masked(np.linspace(-9, 0, 16).reshape(4, 4).astype(np.float32)), id="a bias within reach"),
        pytest.param(masked(causal(), softmax="Relu", axis=None), id="no softmax"),
        pytest.param(masked(causal(), readers=2), id="another reader"),
    ],
)
def test_other_sums_stay_as_they_are(graph):
    limits = {"x": (-3.0, 5.0), "sum": (-1e9, 5.0)}
    same, kept = saturate_masks(graph, limits)
    assert kept == limits
    np.testing.assert_array_equal(same.constants["mask"], graph.constants["mask"])


def test_a_mask_that_others_read_is_copied():
    mask = causal()
    nodes = [
        *masked(mask).nodes,
        Node(op="Add", name="plain", inputs=("x", "mask"), outputs=("z",)),
    ]
    graph = assemble(nodes, dict.fromkeys(("x", "sum", "y", "z"), (1, 4, 4)), {"mask": mask}, outputs=("y", "z"))
    after, _ = saturate_masks(graph, {"x": (-1.0, 1.0), "sum": (-1e9, 1.0), "z": (-1e9, 1.0)})
    np.testing.assert_array_equal(after.constants["mask"], mask)
    assert after.nodes[0].inputs == ("x", "add/mask")
    assert after.constants["add/mask"].min() == -18


@pytest.mark.parametrize(("recipe", "arithmetic"), [("int8", "litert"), ("int8", "ibert"), ("ibert", "ibert")])
def test_masked_scores_keep_their_resolution_in_integers(recipe, arithmetic):
    x = np.random.default_rng(0).uniform(-3, 5, (20, 4, 4)).astype(np.float32)
    graph = refq.quantize(masked(causal()), x, recipe=recipe)
    y = refq.run(graph, x, path="integer", arithmetic=arithmetic)
    np.testing.assert_allclose(y, refq.run(masked(causal()), x), atol=0.03)
    assert not np.triu(y, 1).any()
