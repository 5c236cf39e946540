"""Int8 networks with random weights, in the shapes of well-known ones, for the live compiler."""

from __future__ import annotations

import numpy as np

from tests.peers.litert import Op, Tensor, build


class Chain:
    """A network grown layer by layer; every layer takes the last tensor."""

    def __init__(self, shape: tuple[int, int, int], seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors = [Tensor("x", (1, *shape), scale=0.05, zero_point=0)]
        self.ops: list[Op] = []

    @property
    def last(self) -> Tensor:
        return next(t for t in reversed(self.tensors) if t.data is None)

    def _weights(self, shape: tuple[int, ...], outputs: int, axis: int) -> list[str]:
        codes = np.clip(np.rint(self.rng.normal(0, 30, shape)), -127, 127).astype(np.int8)
        name, scales = f"w{len(self.ops)}", np.full(outputs, 0.01, np.float32)
        self.tensors.append(Tensor(name, shape, scale=scales, zero_point=np.zeros(outputs, int), axis=axis, data=codes))
        bias = np.zeros(outputs, np.int32)
        scales = scales * np.float32(0.05)
        zeros = np.zeros(outputs, int)
        self.tensors.append(Tensor(f"b{name}", (outputs,), "int32", scale=scales, zero_point=zeros, data=bias))
        return [name, f"b{name}"]

    def _add(self, code: str, inputs: list[str], shape: tuple[int, ...], options: dict[str, object]) -> str:
        name = f"y{len(self.ops)}"
        self.ops.append(Op(code, inputs, [name], options))
        self.tensors.append(Tensor(name, shape, scale=0.05, zero_point=0))
        return name

    def conv(self, filters: int, kernel: int, stride: int = 1, source: str = "") -> str:
        x = self.last if not source else next(t for t in self.tensors if t.name == source)
        given = self._weights((filters, kernel, kernel, x.shape[3]), filters, 0)
        shape = (1, -(-x.shape[1] // stride), -(-x.shape[2] // stride), filters)
        options = {"padding": "SAME", "stride_h": stride, "stride_w": stride}
        return self._add("CONV_2D", [x.name, *given], shape, {**options, "fused_activation_function": "RELU"})

    def depthwise(self, stride: int = 1) -> str:
        x = self.last
        given = self._weights((1, 3, 3, x.shape[3]), x.shape[3], 3)
        shape = (1, -(-x.shape[1] // stride), -(-x.shape[2] // stride), x.shape[3])
        options = {"padding": "SAME", "stride_h": stride, "stride_w": stride, "depth_multiplier": 1}
        return self._add("DEPTHWISE_CONV_2D", [x.name, *given], shape, {**options, "fused_activation_function": "RELU"})

    def sum(self, other: str) -> str:
        return self._add("ADD", [self.last.name, other], tuple(self.last.shape), {})

    def bytes(self) -> bytes:
        return build(self.tensors, self.ops, ["x"], [self.last.name])


def mobilenet(width: float, size: int) -> bytes:
    """MobileNet v1 without its classifier."""
    net = Chain((size, size, 3))
    net.conv(int(32 * width), 3, 2)
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for filters, stride in plan:
        net.depthwise(stride)
        net.conv(int(filters * width), 1)
    return net.bytes()


def residual(size: int, widths: tuple[int, ...]) -> bytes:
    """Basic blocks of two 3x3 convolutions with a sum."""
    net = Chain((size, size, 3), seed=1)
    net.conv(widths[0], 3)
    for place, filters in enumerate(widths):
        stride = 1 if place == 0 else 2
        before = net.last.name
        net.conv(filters, 3, stride)
        main = net.conv(filters, 3)
        side = before if place == 0 else net.conv(filters, 1, stride, source=before)
        net.ops.append(Op("ADD", [main, side], [f"y{len(net.ops)}"], {}))
        shape = tuple(next(t for t in net.tensors if t.name == main).shape)
        net.tensors.append(Tensor(f"y{len(net.ops) - 1}", shape, scale=0.05, zero_point=0))
    return net.bytes()


NETWORKS = {
    "mobilenet_025_96": lambda: mobilenet(0.25, 96),
    "mobilenet_05_128": lambda: mobilenet(0.5, 128),
    "residual_48": lambda: residual(48, (24, 48, 96)),
}
