"""Steps of training against PyTorch: the same gradients, the same updates."""

import numpy as np
import pytest

from refq.graph import Node
from refq.layers import layer_for
from refq.training import adam, adamw, sgd, softmax_cross_entropy
from refq.training.normalization import normalize_batch

torch = pytest.importorskip("torch")

OPTIMIZERS = {
    "sgd": (sgd(momentum=0.9, weight_decay=0.01), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01)),
    "nesterov": (sgd(momentum=0.8, nesterov=True), lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True)),
    "adam": (adam(weight_decay=0.01), lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.01)),
    "adamw": (adamw(weight_decay=0.05), lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.05)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ten_updates_equal_those_of_torch(name):
    ours, make = OPTIMIZERS[name]
    rng = np.random.default_rng(0)
    w = rng.normal(size=(3, 4))
    theirs = torch.tensor(w.copy(), requires_grad=True)
    peer = make([theirs])
    values, state = {"w": w}, ours.init({"w": w})
    for _ in range(10):
        gradient = rng.normal(size=w.shape)
        values, state = ours.update({"w": gradient}, state, values, 0.1)
        theirs.grad = torch.tensor(gradient)
        peer.step()
    np.testing.assert_allclose(values["w"], theirs.detach().numpy(), rtol=1e-10)


@pytest.mark.parametrize(
    ("strides", "dilation", "groups", "pad"), [((1, 1), (1, 1), 1, 1), ((2, 1), (1, 2), 1, 0), ((2, 2), (1, 1), 2, 2)]
)
def test_gradients_of_a_convolution_equal_those_of_torch(strides, dilation, groups, pad):
    rng = np.random.default_rng(1)
    attrs = {"strides": strides, "dilation": dilation, "groups": groups, "padding": ((pad, pad), (pad, pad))}
    layer = layer_for(Node(op="Conv2D", name="conv", inputs=(), outputs=(), attrs=attrs))
    x, w = rng.normal(size=(3, 9, 8, 4)), rng.normal(size=(6, 3, 3, 4 // groups))
    xt = torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    wt = torch.tensor(w.transpose(0, 3, 1, 2).copy(), requires_grad=True)
    yt = torch.nn.functional.conv2d(xt, wt, None, strides, pad, dilation, groups)
    dy = rng.normal(size=layer.infer_shape(x.shape, w.shape))
    yt.backward(torch.tensor(dy.transpose(0, 3, 1, 2).copy()))
    dx, dw, _ = layer.grad(dy, x, w)
    np.testing.assert_allclose(dx, xt.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(dw, wt.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-9, atol=1e-10)


def test_normalization_of_a_batch_and_the_loss_equal_those_of_torch():
    rng = np.random.default_rng(2)
    x, gamma, beta = rng.normal(size=(5, 4, 3, 6)), rng.normal(size=6), rng.normal(size=6)
    tensors = [torch.tensor(a.copy(), requires_grad=True) for a in (x, gamma, beta)]
    moved = tensors[0].permute(0, 3, 1, 2)
    yt = torch.nn.functional.batch_norm(moved, None, None, tensors[1], tensors[2], True, 0.1, 1e-3)
    y, _, _, pull = normalize_batch(x, gamma, beta, -1, 1e-3)
    np.testing.assert_allclose(y, yt.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-9)
    labels = rng.integers(0, 6, 5)
    torch.nn.functional.cross_entropy(yt.mean(dim=(2, 3)), torch.tensor(labels)).backward()
    _, slope = softmax_cross_entropy(y.mean(axis=(1, 2)), labels)
    found = pull(np.broadcast_to(slope[:, None, None] / 12, y.shape))
    for ours, theirs in zip(found, tensors, strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-8, atol=1e-12)
