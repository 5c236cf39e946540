"""Hand-made layers for the tests of hwsim."""

from hwsim.workload import Layer, LoopNest


def conv(channels: int, filters: int, size: int, kernel: int = 3, name: str = "conv", bits: int = 8) -> Layer:
    nest = LoopNest(
        kind="mac",
        K=filters,
        C=channels,
        OY=size,
        OX=size,
        FY=kernel,
        FX=kernel,
        inputs=(size * size * channels,),
        weights=filters * channels * kernel * kernel,
        biases=filters,
        outputs=size * size * filters,
    )
    return Layer(name=name, op="Conv2D", nest=nest, weight_bits=bits, weight_key=f"{name}/w")


def depthwise(channels: int, size: int, name: str = "depthwise") -> Layer:
    nest = LoopNest(
        kind="depthwise",
        G=channels,
        OY=size,
        OX=size,
        FY=3,
        FX=3,
        inputs=(size * size * channels,),
        weights=9 * channels,
        biases=channels,
        outputs=size * size * channels,
    )
    return Layer(name=name, op="DepthwiseConv2D", nest=nest, weight_key=f"{name}/w")


def add(elements: int, name: str = "add", op: str = "Add") -> Layer:
    nest = LoopNest(kind="elementwise", inputs=(elements, elements), outputs=elements, operations=elements)
    return Layer(name=name, op=op, nest=nest)
