"""Reader of .tflite files.

flatbuffer.py    bytes -> plain values, every size checked against the file before anything is made
reader.py        plain values -> Graph, operator by operator
builder.py       what a converter reads (Operation, Operand) and writes to (Builder)
converters.py    the table of converters; one module `*_ops.py` a family, found by name
"""

from refq.io.tflite.reader import read_tflite

__all__ = ["read_tflite"]
