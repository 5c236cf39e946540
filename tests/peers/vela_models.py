"""Int8 networks with random weights, grown layer by layer, for the live compiler."""

from __future__ import annotations

import numpy as np

from tests.peers.litert import Op, Tensor, build

Shape = tuple[int, ...]


class Chain:
    """A network grown layer by layer; every layer takes the last tensor, or the one named `source`."""

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors = {"x": Tensor("x", (1, *shape), scale=0.05, zero_point=0)}
        self.ops: list[Op] = []
        self.last = "x"

    def shape(self, name: str = "") -> Shape:
        return tuple(self.tensors[name or self.last].shape)

    def _keep(self, name: str, shape: Shape, dtype: str = "int8", **others: object) -> str:
        self.tensors[name] = Tensor(name, shape, dtype, **others)  # type: ignore[arg-type]
        return name

    def _weights(self, shape: Shape, outputs: int, axis: int) -> list[str]:
        codes = np.clip(np.rint(self.rng.normal(0, 30, shape)), -127, 127).astype(np.int8)
        name, scales, zeros = f"w{len(self.ops)}", np.full(outputs, 0.01, np.float32), np.zeros(outputs, int)
        self._keep(name, shape, scale=scales, zero_point=zeros, axis=axis, data=codes)
        bias = np.zeros(outputs, np.int32)
        self._keep(f"b{name}", (outputs,), "int32", scale=scales * np.float32(0.05), zero_point=zeros, data=bias)
        return [name, f"b{name}"]

    def add_op(self, code: str, inputs: list[str], shape: Shape, options: dict[str, object] | None = None) -> str:
        self.last = self._keep(f"y{len(self.ops)}", shape, scale=0.05, zero_point=0)
        self.ops.append(Op(code, inputs, [self.last], options or {}))
        return self.last

    def _window(self, x: Shape, kernel: Shape, stride: Shape, dilation: int, padding: str) -> Shape:
        if padding == "SAME":
            return tuple(-(-size // step) for size, step in zip(x[1:3], stride, strict=True))
        wide = [(side - 1) * dilation + 1 for side in kernel]
        return tuple((size - side) // step + 1 for size, side, step in zip(x[1:3], wide, stride, strict=True))

    def conv(
        self,
        filters: int,
        kernel: int | Shape,
        stride: int = 1,
        source: str = "",
        dilation: int = 1,
        padding: str = "SAME",
        activation: str = "RELU",
        groups: int = 1,
    ) -> str:
        name = source or self.last
        x, sides = self.shape(name), (kernel, kernel) if isinstance(kernel, int) else kernel
        given = self._weights((filters, *sides, x[3] // groups), filters, 0)
        shape = (1, *self._window(x, sides, (stride, stride), dilation, padding), filters)
        options = {"padding": padding, "stride_h": stride, "stride_w": stride, "dilation_h_factor": dilation}
        options |= {"dilation_w_factor": dilation, "fused_activation_function": activation}
        return self.add_op("CONV_2D", [name, *given], shape, options)

    def depthwise(self, stride: int = 1, kernel: int | Shape = 3, multiplier: int = 1, padding: str = "SAME") -> str:
        name, x, sides = self.last, self.shape(), (kernel, kernel) if isinstance(kernel, int) else kernel
        deep = x[3] * multiplier
        given = self._weights((1, *sides, deep), deep, 3)
        shape = (1, *self._window(x, sides, (stride, stride), 1, padding), deep)
        options = {"padding": padding, "stride_h": stride, "stride_w": stride, "depth_multiplier": multiplier}
        return self.add_op("DEPTHWISE_CONV_2D", [name, *given], shape, {**options, "fused_activation_function": "RELU"})

    def pool(self, code: str, side: int | Shape, stride: int, source: str = "", padding: str = "SAME") -> str:
        name = source or self.last
        x, sides = self.shape(name), (side, side) if isinstance(side, int) else side
        shape = (1, *self._window(x, sides, (stride, stride), 1, padding), x[3])
        options = {"padding": padding, "filter_height": sides[0], "filter_width": sides[1]}
        return self.add_op(f"{code}_POOL_2D", [name], shape, {**options, "stride_h": stride, "stride_w": stride})

    def flat_pool(self) -> str:
        """The average over the image."""
        return self.pool("AVERAGE", self.shape()[1:3], 1, padding="VALID")

    def mean(self) -> str:
        """The average over the image, as a reduction."""
        axes = self._keep(f"a{len(self.ops)}", (2,), "int32", data=np.array([1, 2], np.int32))
        return self.add_op("MEAN", [self.last, axes], (1, 1, 1, self.shape()[3]), {"keep_dims": True})

    def pad(self, before: int, after: int) -> str:
        """Zeros around the image, as Keras writes them before a strided convolution."""
        edges = np.array([[0, 0], [before, after], [before, after], [0, 0]], np.int32)
        name, x = self._keep(f"p{len(self.ops)}", (4, 2), "int32", data=edges), self.shape()
        return self.add_op("PAD", [self.last, name], (1, x[1] + before + after, x[2] + before + after, x[3]))

    def apply(self, code: str) -> str:
        """An activation of its own."""
        return self.add_op(code, [self.last], self.shape())

    def gate(self, other: str, source: str = "") -> str:
        """The product of a tensor with one value a channel."""
        name = source or self.last
        return self.add_op("MUL", [name, other], self.shape(name), {"fused_activation_function": "NONE"})

    def dense(self, filters: int, activation: str = "RELU") -> str:
        name, size = self.last, int(np.prod(self.shape()))
        if len(self.shape()) != 2:
            target = self._keep(f"s{len(self.ops)}", (2,), "int32", data=np.array([1, size], np.int32))
            name = self.add_op("RESHAPE", [self.last, target], (1, size), {"new_shape": (1, size)})
        given = self._weights((filters, size), filters, 0)
        return self.add_op("FULLY_CONNECTED", [name, *given], (1, filters), {"fused_activation_function": activation})

    def softmax(self) -> str:
        shape = self.shape()
        name = self._keep(f"y{len(self.ops)}", shape, scale=1 / 256, zero_point=-128)
        self.ops.append(Op("SOFTMAX", [self.last], [name], {"beta": 1.0}))
        self.last = name
        return name

    def sum(self, other: str, source: str = "") -> str:
        name = source or self.last
        return self.add_op("ADD", [name, other], self.shape(name))

    def join(self, names: list[str]) -> str:
        deep = sum(self.shape(name)[3] for name in names)
        return self.add_op("CONCATENATION", names, (*self.shape(names[0])[:3], deep), {"axis": 3})

    def bytes(self) -> bytes:
        return build(self.tensors.values(), self.ops, ["x"], [self.last])
