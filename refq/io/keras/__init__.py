"""Keras files without Keras: .h5 (writers 2.x and 3.x) and .keras.

archive.py      the two containers: configuration, and the weights of a layer
topology.py     Sequential and Functional configurations as one list of layer calls
builder.py      collects nodes, tensors and constants; walks nested models
*_layers.py     converters from Keras layers to primitive operations, by family; found by discovery
"""

from refq.io.keras.reader import read_h5, read_keras

__all__ = ["read_h5", "read_keras"]
