"""Converters of operators that choose parts of a tensor by an index."""

from __future__ import annotations

from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts


@converts("EMBEDDING_LOOKUP")
def embedding_lookup(builder: Builder, op: Operation) -> None:
    op.takes(2)
    builder.emit("Embedding", op, [op.x, op.input(1)])


@converts("GATHER")
def gather(builder: Builder, op: Operation) -> None:
    """Rows of a constant table are an embedding: the table is a weight."""
    op.takes(2)
    x, rank = op.x, len(op.x.shape)
    axis, batch_dims = int(op.option("axis", 0)), int(op.option("batch_dims", 0))
    is_table = x.data is not None and (x.is_real or x.qparams is not None)
    if is_table and rank == 2 and axis in (0, -2) and not batch_dims:
        builder.emit("Embedding", op, [op.input(1), x])
    else:
        builder.emit("Gather", op, [x, op.input(1)], axis=axis, batch_dims=batch_dims)


@converts("GATHER_ND")
def gather_nd(builder: Builder, op: Operation) -> None:
    op.takes(2)
    builder.emit("GatherNd", op, [op.x, op.input(1)])


@converts("TOPK_V2")
def top_k(builder: Builder, op: Operation) -> None:
    op.takes(2)
    counts = op.integers(1)
    if len(counts) != 1:
        raise op.refuse(f"one count is needed, got {counts}")
    builder.emit("TopK", op, [op.x], k=counts[0])
