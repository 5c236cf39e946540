"""Random networks of many operators: every tensor of every one equal to LiteRT's reference kernels."""

import numpy as np
import pytest

import refq

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite")

from tests.peers.litert import Op, Tensor, build, run_all


class Network:
    """A chain of random operators; each method adds one that fits the last tensor, and names what it made."""

    def __init__(self, seed, dtype):
        self.rng, self.dtype = np.random.default_rng(seed), dtype
        self.tensors, self.ops, self.images = [], [], []
        self.last = self.activation((1, int(self.rng.integers(5, 12)), int(self.rng.integers(5, 12)), 4))
        self.first = self.last

    def tensor(self, shape, dtype, **others):
        self.tensors.append(Tensor(f"t{len(self.tensors)}", tuple(map(int, shape)), dtype, **others))
        return self.tensors[-1]

    def activation(self, shape, like=None):
        scale, zero = (self.rng.uniform(0.02, 0.08), int(self.rng.integers(-40, 40))) if like is None else like
        if self.dtype == "int16":
            scale, zero = (scale / 256 if like is None else scale), 0
        return self.tensor(shape, self.dtype, scale=np.float32(scale), zero_point=zero)

    def constant(self, values):
        values = np.asarray(values, np.int32)
        return self.tensor(values.shape, "int32", data=values)

    def emit(self, code, inputs, shape, options=None, same=False):
        like = (self.last.scale, self.last.zero_point) if same else None
        y = self.activation(shape, like)
        self.ops.append(Op(code, [t.name for t in inputs], [y.name], options or {}))
        self.last = y
        if len(shape) == 4:
            self.images.append(y)

    def weights(self, shape, axis, fan_in):
        width = "int4" if self.dtype == "int8" and self.rng.random() < 0.2 else "int8"
        limit = 7 if width == "int4" else 127
        scale = self.rng.uniform(0.5, 1.5, shape[axis]) / limit / np.sqrt(fan_in)
        w = self.tensor(shape, width, scale=scale, axis=axis, data=self.rng.integers(-limit, limit + 1, shape))
        x_scale = np.float32(self.last.scale)
        b = self.tensor(
            (shape[axis],),
            "int64" if self.dtype == "int16" else "int32",
            scale=x_scale * np.asarray(scale, np.float32),
            data=self.rng.integers(-1000, 1000, shape[axis]) * (256 if self.dtype == "int16" else 1),
        )
        return [w, b]

    def window(self, limit=3):
        kernel, stride = self.rng.integers(1, limit + 1, 2), self.rng.integers(1, 3)
        _, height, width, _ = self.last.shape
        same = bool(self.rng.random() < 0.5) or height < kernel[0] or width < kernel[1]
        size = [
            -(-n // stride) if same else (n - k) // stride + 1 for n, k in zip((height, width), kernel, strict=True)
        ]
        options = {"padding": "SAME" if same else "VALID", "stride_w": int(stride), "stride_h": int(stride)}
        return [int(k) for k in kernel], size, options

    def fused(self):
        return {"fused_activation_function": str(self.rng.choice(["NONE", "RELU", "RELU6"]))}

    def conv(self):
        kernel, size, options = self.window()
        x, outputs = self.last, int(self.rng.integers(2, 9))
        held = self.weights((outputs, *kernel, x.shape[3]), 0, kernel[0] * kernel[1] * x.shape[3])
        self.emit("CONV_2D", [x, *held], (1, *size, outputs), {**options, **self.fused()})

    def depthwise(self):
        kernel, size, options = self.window()
        x, multiplier = self.last, int(self.rng.integers(1, 3))
        outputs = x.shape[3] * multiplier
        held = self.weights((1, *kernel, outputs), 3, kernel[0] * kernel[1])
        options = {**options, **self.fused(), "depth_multiplier": multiplier}
        self.emit("DEPTHWISE_CONV_2D", [x, *held], (1, *size, outputs), options)

    def pool(self):
        kernel, size, options = self.window()
        code = str(self.rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
        options = {**options, "filter_height": kernel[0], "filter_width": kernel[1]}
        self.emit(code, [self.last], (1, *size, self.last.shape[3]), options, same=True)

    def binary(self):
        partners = [t for t in self.images if t.shape == self.last.shape] or [self.last]
        other = partners[int(self.rng.integers(len(partners)))]
        code = str(self.rng.choice(["ADD", "SUB", "MUL"]))
        self.emit(code, [self.last, other], self.last.shape, self.fused())

    def pad(self):
        amounts = self.rng.integers(0, 3, (2, 2))
        _, height, width, channels = self.last.shape
        shape = (1, height + amounts[0].sum(), width + amounts[1].sum(), channels)
        self.emit("PAD", [self.last, self.constant([[0, 0], *amounts, [0, 0]])], shape, same=True)

    def join(self):
        shape = self.last.shape
        self.emit("CONCATENATION", [self.last, self.last], (*shape[:3], 2 * shape[3]), {"axis": 3}, same=True)

    def resize(self):
        size = self.rng.integers(3, 12, 2)
        code = str(self.rng.choice(["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"]))
        options = {"half_pixel_centers": bool(self.rng.random() < 0.5)}
        self.emit(code, [self.last, self.constant(size)], (1, *size, self.last.shape[3]), options, same=True)

    def requantize(self):
        self.emit("QUANTIZE", [self.last], self.last.shape)

    def leaky(self):
        self.emit("LEAKY_RELU", [self.last], self.last.shape, {"alpha": float(self.rng.uniform(0.05, 0.4))})

    def head(self):
        """Mean over the image, or a flat view, then a dense layer."""
        x = self.last
        if self.rng.random() < 0.5 and self.dtype == "int8":
            self.emit("MEAN", [x, self.constant([1, 2])], (1, x.shape[3]))
        else:
            flat = int(np.prod(x.shape))
            self.emit("RESHAPE", [x, self.constant([1, flat])], (1, flat), same=True)
        width = self.last.shape[1]
        self.emit("FULLY_CONNECTED", [self.last, *self.weights((10, width), 0, width)], (1, 10))

    def made(self, length):
        steps = [self.conv, self.depthwise, self.pool, self.binary, self.pad, self.join, self.resize, self.leaky]
        for _ in range(length):
            if self.last.shape[3] > 12:
                self.conv()
            steps[int(self.rng.integers(len(steps)))]()
        self.requantize()
        self.head()
        return build(self.tensors, self.ops, [self.first.name], [self.last.name])


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(20))
def test_every_tensor_of_a_random_network_equals_litert(tmp_path, seed, dtype):
    network = Network(seed, dtype)
    model = network.made(length=10)
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    info = np.iinfo(dtype)
    batch = network.rng.integers(info.min, info.max + 1, (2, *network.first.shape[1:])).astype(dtype)
    traced = refq.trace(refq.load(path), batch, path="integer")
    for row in (0, 1):
        theirs = run_all(model, [batch[row : row + 1]])
        for index, tensor in enumerate(network.tensors):
            if tensor.data is None:
                wrong = int((traced[tensor.name][row] != theirs[index][0]).sum())
                kind = next((op.code for op in network.ops if tensor.name in op.outputs), "input")
                assert wrong == 0, f"{kind} {tensor.name}: {wrong} of {theirs[index].size} differ"
