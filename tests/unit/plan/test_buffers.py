"""Memory that tensors take in turns is never given on while a tensor in it is still to be read."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from refq.graph import Graph, Node, TensorSpec
from refq.plan.buffers import Pool, most_held


def graph_of(reads: list[list[int]], sizes: list[int]) -> Graph:
    """Node i writes tensor i + 1 and reads the tensors given; tensor 0 is the input, the last one the output."""
    names = [f"t{i}" for i in range(len(sizes))]
    tensors = {n: TensorSpec(name=n, shape=(size,), dtype="int8") for n, size in zip(names, sizes, strict=True)}
    nodes = tuple(
        Node(op="Add", name=f"n{i}", inputs=tuple(names[j] for j in seen), outputs=(names[i + 1],), attrs={})
        for i, seen in enumerate(reads)
    )
    return Graph(name="g", nodes=nodes, tensors=tensors, constants={}, inputs=(names[0],), outputs=(names[-1],))


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 8))
    reads = [draw(st.lists(st.integers(0, i), min_size=1, max_size=2)) for i in range(count)]
    return graph_of(reads, draw(st.lists(st.integers(1, 50), min_size=count + 1, max_size=count + 1)))


@given(graph=graphs(), shares=st.booleans())
def test_every_node_reads_what_was_written(graph, shares):
    pool = Pool(graph, shares)
    sizes = {name: spec.shape[0] for name, spec in graph.tensors.items()}
    held = {graph.inputs[0]: pool.take(graph.inputs[0], (sizes[graph.inputs[0]],))}
    held[graph.inputs[0]][:] = 0
    for number, node in enumerate(graph.nodes):
        held[node.output] = pool.take(node.output, (sizes[node.output],))
        held[node.output][:] = number + 1
        for name in node.inputs:
            assert (held[name] == int(name[1:])).all()
        pool.release(number)
    assert (held[graph.outputs[0]] == len(graph.nodes)).all()


def test_a_chain_takes_two_buffers_and_a_view_keeps_the_memory_it_stands_in():
    graph = graph_of([[0], [1], [2], [3]], [10] * 5)
    assert most_held(graph, dict.fromkeys(graph.tensors, 10)) == 20
    pool = Pool(graph, True)
    arrays = [pool.take("t0", (10,))]
    for number, node in enumerate(graph.nodes[:3]):
        if number == 1:
            pool.view("t2", "t1")
        else:
            arrays.append(pool.take(node.output, (10,)))
        pool.release(number)
    assert np.shares_memory(arrays[0], arrays[2])  # t3 came after t0, while t2 stood in the memory of t1
    assert not np.shares_memory(arrays[1], arrays[2])
