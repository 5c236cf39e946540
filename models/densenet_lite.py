"""The DenseNet of TensorFlow Lite's hosted models: 3.0 GMAC at 224x224, 10.8 million parameters.

A file of 43.6 MB in 32 bits has 10.9 million weights, statistics included. That is the network of 121 layers trained
for Cloud TPUs (models/official/densenet of tensorflow/tpu), whose blocks have no 1x1 bottleneck unless asked for;
DenseNet-121 with bottlenecks has 8.1 million.
"""

from models.densenet import build_densenet
from models.keras_writer import Network


def build(input_shape: tuple[int, ...] = (224, 224, 3), classes: int = 1001) -> Network:
    """Dense blocks of 6, 12, 24 and 16 layers without bottlenecks."""
    return build_densenet("densenet_lite", (6, 12, 24, 16), input_shape, classes, bottleneck=False)
