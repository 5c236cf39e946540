"""The networks compared with the live compiler: well-known topologies at several sizes, and chains drawn at random."""

from __future__ import annotations

import numpy as np

from tests.peers.vela_models import Chain


def mobilenet(width: float, size: int, channels: int = 3, classes: int = 1000) -> bytes:
    """MobileNet v1; at 0.25, 96, 1, 2 the person detector."""
    net = Chain((size, size, channels))
    net.conv(int(32 * width), 3, 2)
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for filters, stride in plan:
        net.depthwise(stride)
        net.conv(int(filters * width), 1)
    net.flat_pool()
    net.dense(classes, "NONE")
    net.softmax()
    return net.bytes()


def mobilenet_v2(width: float, size: int) -> bytes:
    """Inverted residuals."""
    net = Chain((size, size, 3), seed=2)
    net.conv(int(32 * width), 3, 2)
    plan = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expand, filters, count, stride in plan:
        for place in range(count):
            before, deep = net.last, net.shape()[3]
            if expand > 1:
                net.conv(deep * expand, 1)
            net.depthwise(stride if place == 0 else 1)
            net.conv(int(filters * width), 1, activation="NONE")
            if net.shape() == net.shape(before):
                net.sum(before)
    net.conv(1280, 1)
    net.flat_pool()
    net.dense(1000, "NONE")
    return net.bytes()


def mobilenet_v3(size: int) -> bytes:
    """Hard-swish, and gates of one value a channel."""
    net = Chain((size, size, 3), seed=11)
    net.conv(16, 3, 2, activation="NONE")
    net.apply("HARD_SWISH")
    plan = [
        (16, 16, 3, 2, True),
        (72, 24, 3, 2, False),
        (88, 24, 3, 1, False),
        (96, 40, 5, 2, True),
        (240, 40, 5, 1, True),
    ]
    for wide, filters, kernel, stride, gated in plan:
        before = net.last
        net.conv(wide, 1, activation="NONE")
        net.apply("HARD_SWISH")
        inner = net.depthwise(stride, kernel)
        if gated:
            net.mean()
            net.conv(max(8, wide // 4), 1)
            net.conv(wide, 1, activation="NONE")
            net.apply("LOGISTIC")
            net.gate(net.last, source=inner)
        net.conv(filters, 1, activation="NONE")
        if net.shape() == net.shape(before):
            net.sum(before)
    net.conv(240, 1, activation="NONE")
    net.apply("HARD_SWISH")
    net.mean()
    net.conv(100, 1, activation="NONE")
    return net.bytes()


def padded(size: int, width: int) -> bytes:
    """As Keras converts: padding of its own before strided convolutions, clipped activations, an average."""
    net = Chain((size, size, 3), seed=12)
    net.pad(3, 3)
    net.conv(width, 7, 2, padding="VALID", activation="RELU6")
    net.pad(1, 1)
    net.pool("MAX", 3, 2, padding="VALID")
    for k in range(3):
        net.conv(width << k, 1, activation="RELU6")
        net.pad(0, 1)
        net.depthwise(2, padding="VALID")
        net.conv(width << (k + 1), 1, activation="RELU6")
    net.mean()
    net.dense(10, "NONE")
    net.softmax()
    return net.bytes()


def residual(size: int, widths: tuple[int, ...], classes: int = 10) -> bytes:
    """Basic blocks of two 3x3 convolutions with a sum."""
    net = Chain((size, size, 3), seed=1)
    net.conv(widths[0], 3)
    for place, filters in enumerate(widths):
        stride = 1 if place == 0 else 2
        before = net.last
        net.conv(filters, 3, stride)
        main = net.conv(filters, 3)
        side = before if place == 0 else net.conv(filters, 1, stride, source=before)
        net.sum(side, source=main)
    net.flat_pool()
    net.dense(classes, "NONE")
    net.softmax()
    return net.bytes()


def grouped(size: int) -> bytes:
    """3x3 convolutions in 4, 8 and 2 groups, each followed by a strided 1x1."""
    net = Chain((size, size, 3), seed=23)
    net.conv(32, 3, 2)
    for filters, groups in ((64, 4), (64, 8), (128, 2)):
        net.conv(filters, 3, groups=groups)
        net.conv(filters, 1, 2)
    net.flat_pool()
    net.dense(10, "NONE")
    return net.bytes()


def temporal(length: int) -> bytes:
    """TC-ResNet: features as channels, windows along time only, sums."""
    net = Chain((length, 1, 40), seed=20)
    net.conv(16, (3, 1))
    for filters in (24, 32, 48):
        before = net.last
        net.conv(filters, (9, 1), 2)
        main = net.conv(filters, (9, 1), activation="NONE")
        net.sum(net.conv(filters, 1, 2, source=before), source=main)
    net.flat_pool()
    net.dense(12, "NONE")
    net.softmax()
    return net.bytes()


def bottleneck(size: int, width: int, counts: tuple[int, ...]) -> bytes:
    """ResNet-50 and its relatives: 7x7 stem, maximum, blocks of 1x1, 3x3, 1x1."""
    net = Chain((size, size, 3), seed=3)
    net.conv(width, 7, 2)
    net.pool("MAX", 3, 2)
    for stage, count in enumerate(counts):
        filters = width << stage
        for place in range(count):
            before, stride = net.last, 2 if stage and not place else 1
            net.conv(filters, 1, stride)
            net.conv(filters, 3)
            main = net.conv(4 * filters, 1, activation="NONE")
            side = before if place else net.conv(4 * filters, 1, stride, source=before, activation="NONE")
            net.sum(side, source=main)
    net.flat_pool()
    net.dense(1000, "NONE")
    return net.bytes()


def densenet(size: int, growth: int, counts: tuple[int, ...]) -> bytes:
    """Dense blocks: 1x1 to four times the growth, 3x3, concatenated to the input."""
    net = Chain((size, size, 3), seed=4)
    net.conv(2 * growth, 3, 2)
    for stage, count in enumerate(counts):
        for _ in range(count):
            before = net.last
            net.conv(4 * growth, 1)
            new = net.conv(growth, 3)
            net.join([before, new])
        if stage < len(counts) - 1:
            net.conv(net.shape()[3] // 2, 1)
            net.pool("AVERAGE", 2, 2)
    net.flat_pool()
    net.dense(100, "NONE")
    return net.bytes()


def inception(size: int, width: int) -> bytes:
    """Branches of 1x1, 3x3, 5x5, 1x7 with 7x1, and pooling, concatenated."""
    net = Chain((size, size, 3), seed=5)
    net.conv(width, 3, 2, padding="VALID")
    net.conv(width, 3)
    net.pool("MAX", 3, 2)
    for stage in range(3):
        before = net.last
        branches = [net.conv(width, 1, source=before)]
        net.conv(width, 1, source=before)
        branches.append(net.conv(width + width // 2, 3))
        net.conv(width // 2, 1, source=before)
        branches.append(net.conv(width, 5) if stage != 1 else (net.conv(width, (1, 7)), net.conv(width, (7, 1)))[1])
        net.pool("AVERAGE", 3, 1, source=before)
        branches.append(net.conv(width // 2, 1))
        net.join(branches)
        if stage == 1:
            net.pool("MAX", 3, 2)
    net.flat_pool()
    net.dense(100, "NONE")
    return net.bytes()


def squeezenet(size: int) -> bytes:
    net = Chain((size, size, 3), seed=6)
    net.conv(64, 3, 2, padding="VALID")
    net.pool("MAX", 3, 2, padding="VALID")
    for place, (few, many) in enumerate([(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (64, 256)]):
        squeezed = net.conv(few, 1)
        net.join([net.conv(many, 1, source=squeezed), net.conv(many, 3, source=squeezed)])
        if place in (1, 3):
            net.pool("MAX", 3, 2, padding="VALID")
    net.conv(100, 1)
    net.flat_pool()
    return net.bytes()


def keywords(width: int, blocks: int) -> bytes:
    """DS-CNN on 49 x 10 features."""
    net = Chain((49, 10, 1), seed=7)
    net.conv(width, (10, 4), 2)
    for _ in range(blocks):
        net.depthwise()
        net.conv(width, 1)
    net.flat_pool()
    net.dense(12, "NONE")
    net.softmax()
    return net.bytes()


def wake_word() -> bytes:
    """One convolution on a spectrogram and a dense layer."""
    net = Chain((49, 40, 1), seed=8)
    net.depthwise(2, (10, 8), multiplier=8)
    net.dense(4, "NONE")
    net.softmax()
    return net.bytes()


def dense_stack(sizes: tuple[int, ...]) -> bytes:
    net = Chain((1, 1, sizes[0]), seed=9)
    for size in sizes[1:]:
        net.dense(size)
    return net.bytes()


def vgg(size: int, widths: tuple[int, ...], kernel: int) -> bytes:
    """Pairs of convolutions with a maximum, two dense layers."""
    net = Chain((size, size, 3), seed=10)
    for width in widths:
        net.conv(width, kernel)
        net.conv(width, kernel)
        net.pool("MAX", 2, 2)
    net.dense(256)
    net.dense(10, "NONE")
    return net.bytes()


_KINDS = {"conv": 0.4, "point": 0.25, "depthwise": 0.2, "pool": 0.1, "sum": 0.05}
_FILTERS = (8, 8, 12, 16, 16, 24, 24, 32, 32, 32, 40, 64, 64, 64, 96, 128, 128, 200, 256, 384, 512)


def drawn(seed: int) -> bytes:
    """A chain of ten layers with sides, strides, dilations and channels drawn at random."""
    rng = np.random.default_rng(seed)
    side = int(rng.choice([12, 20, 33, 48, 64, 100]))
    net = Chain((side, side + int(rng.integers(0, 9)), int(rng.choice([1, 3, 8, 16]))), seed)
    for _ in range(10):
        size, kind = min(net.shape()[1:3]), rng.choice(list(_KINDS), p=list(_KINDS.values()))
        stride = int(rng.choice([1, 1, 2])) if size > 6 else 1
        filters = int(rng.choice(_FILTERS))
        if kind == "conv":
            kernel = int(rng.choice([2, 3, 3, 3, 5, 7]))
            dilation = int(rng.choice([1, 1, 1, 2])) if stride == 1 and size > 2 * kernel else 1
            net.conv(filters, kernel, stride, dilation=dilation, padding="VALID" if size > 3 * kernel else "SAME")
        elif kind == "point":
            net.conv(filters, 1, stride)
        elif kind == "depthwise" and net.shape()[3] > 1:
            net.depthwise(stride, int(rng.choice([3, 3, 5, 7])) if size > 7 else 3)
        elif kind == "pool":
            net.pool(str(rng.choice(["MAX", "AVERAGE"])), int(rng.choice([2, 3])), stride)
        else:
            before = net.last
            net.conv(net.shape()[3], 1)
            net.sum(before)
    return net.bytes()


NETWORKS = {
    "mobilenet_025_96": lambda: mobilenet(0.25, 96, 1, 2),
    "mobilenet_05_128": lambda: mobilenet(0.5, 128),
    "mobilenet_10_224": lambda: mobilenet(1.0, 224),
    "mobilenet_v2_035_96": lambda: mobilenet_v2(0.35, 96),
    "mobilenet_v2_10_160": lambda: mobilenet_v2(1.0, 160),
    "mobilenet_v3_96": lambda: mobilenet_v3(96),
    "padded_96": lambda: padded(96, 32),
    "residual_32": lambda: residual(32, (16, 32, 64)),
    "residual_48": lambda: residual(48, (24, 48, 96)),
    "residual_64_wide": lambda: residual(64, (64, 128, 256, 512)),
    "grouped_48": lambda: grouped(48),
    "temporal_101": lambda: temporal(101),
    "bottleneck_96": lambda: bottleneck(96, 32, (2, 2, 2, 2)),
    "bottleneck_224": lambda: bottleneck(224, 64, (2, 1, 1, 1)),
    "densenet_64": lambda: densenet(64, 12, (4, 4, 4)),
    "densenet_96": lambda: densenet(96, 32, (3, 4, 4)),
    "inception_96": lambda: inception(96, 64),
    "squeezenet_112": lambda: squeezenet(112),
    "keywords_64": lambda: keywords(64, 4),
    "keywords_172": lambda: keywords(172, 3),
    "wake_word": wake_word,
    "dense_stack": lambda: dense_stack((640, 128, 128, 8, 128, 640)),
    "dense_wide": lambda: dense_stack((400, 1024, 256, 1024, 16)),
    "vgg_32": lambda: vgg(32, (32, 64, 128), 3),
    "vgg_5x5": lambda: vgg(40, (16, 32, 48), 5),
    **{f"drawn_{seed}": (lambda seed=seed: drawn(seed)) for seed in range(16)},
}
