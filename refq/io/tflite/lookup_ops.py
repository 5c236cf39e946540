"""Converters of operators that read rows of a table."""

from __future__ import annotations

from refq.io.tflite.builder import Builder, Operation
from refq.io.tflite.converters import converts


@converts("EMBEDDING_LOOKUP")
def embedding_lookup(builder: Builder, op: Operation) -> None:
    op.takes(2)
    builder.emit("Embedding", op, [op.x, op.input(1)])


@converts("GATHER")
def gather(builder: Builder, op: Operation) -> None:
    """Rows of a constant table; the table is the first operand, the indices the second."""
    op.takes(2)
    table, rank = op.x, len(op.x.shape)
    if table.data is None or rank != 2 or op.option("axis", 0) % max(rank, 1) or op.option("batch_dims", 0):
        raise op.refuse(f"only rows of a constant table (rows, width) are gathered, not of {table.shape}")
    builder.emit("Embedding", op, [op.input(1), table])
