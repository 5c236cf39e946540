"""ONNX files, parsed by the `onnx` package (extra `refq[onnx]`).

tensors.py      TensorProto to arrays, sizes checked against what the file holds
builder.py      what converters receive (Call) and emit into (Builder); which tensors are held channels-last
converters.py   the table of converters
*_ops.py        converters by family; found by discovery
folding.py      operators on constants, worked out while reading
fusing.py       activation after a layer -> that layer's clamp
reader.py       from a file to a Graph

Layout. ONNX is channels-first, refq channels-last. Convolutions, pools and resizing produce channels-last tensors;
elementwise operators, concatenation, padding and reductions keep the order they get, with axes renumbered; an operator
that needs the file's order gets a Transpose before it. Graph inputs and outputs have the file's order. Every tensor has
the file's name; `graph.meta["nhwc"]` lists, as JSON, those held channels-last, and a copy in the other order is called
`name/nhwc` or `name/nchw`. Weights are OHWI.
"""

from refq.io.onnx.reader import read_onnx

__all__ = ["read_onnx"]
