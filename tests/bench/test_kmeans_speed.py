"""Training and encoding of a product quantizer against faiss, one thread, same data, same run."""

import time

import numpy as np
import pytest

from refq.quantizers.product import decode, encode, train_product_codebook

ROUNDS = 3


def test_product_quantizer_against_faiss(benchmark):
    faiss = pytest.importorskip("faiss")
    faiss.omp_set_num_threads(1)
    x = np.random.default_rng(0).standard_normal((65536, 64)).astype(np.float32)
    train_product_codebook(x[:512], subspaces=8, centroids=4, generator=np.random.default_rng(0))  # compiles

    def ours(start="sample"):
        begin = time.process_time()
        codebook = train_product_codebook(x, subspaces=8, generator=np.random.default_rng(1), start=start)
        trained = time.process_time()
        codes = encode(codebook, x)
        return trained - begin, time.process_time() - trained, np.square(decode(codebook, codes) - x).mean()

    def theirs():
        quantizer = faiss.ProductQuantizer(64, 8, 8)
        quantizer.cp.niter = 25
        begin = time.process_time()
        quantizer.train(x)
        trained = time.process_time()
        codes = quantizer.compute_codes(x)
        return trained - begin, time.process_time() - trained, np.square(quantizer.decode(codes) - x).mean()

    runs = {name: [run() for _ in range(ROUNDS)] for name, run in (("faiss", theirs), ("refq", ours))}
    runs["refq, kmeans++"] = [ours("kmeans++") for _ in range(ROUNDS)]
    benchmark.pedantic(ours, rounds=1)
    peer = np.median(runs["faiss"], axis=0)
    print()
    for name, values in runs.items():
        train, code, error = np.median(values, axis=0)
        print(
            f"{name:16} train {train:.3f} s ({train / peer[0]:.2f} x), encode {1e3 * code:.1f} ms "
            f"({code / peer[1]:.2f} x), mean squared error {error:.5f} ({error / peer[2]:.4f} x)"
        )
    train, code, error = np.median(runs["refq"], axis=0)
    assert error <= 1.003 * peer[2]
    assert train < 2 * peer[0]
    assert code < 2 * peer[1]
