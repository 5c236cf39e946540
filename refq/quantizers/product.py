"""Product quantization: a vector is cut into subspaces, and each part is replaced by the nearest of its centroids."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refq.errors import RangeError, ShapeError
from refq.quantizers.kmeans import Frame, Panels, Points, finite_points, kmeans


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProductCodebook:
    """The centroids of every subspace.

        x[n] ~ concatenate(centroids[0, code[n, 0]], ..., centroids[m - 1, code[n, m - 1]])

    Parameters
    ----------
    centroids : float32, shape (subspaces, centroids, dims / subspaces), finite; at most 65536 a subspace

    Raises
    ------
    ShapeError, RangeError    centroids of another shape, or not finite
    """

    centroids: NDArray[np.float32]

    def __post_init__(self) -> None:
        array = np.array(self.centroids, np.float32)
        if array.ndim != 3 or not array.size or array.shape[1] > 1 << 16:
            raise ShapeError(
                f"centroids of shape {array.shape} must be (subspaces, 1..65536 centroids, dimensions of a subspace)"
            )
        if not np.isfinite(array).all():
            raise RangeError("centroids must be finite")
        array.setflags(write=False)
        object.__setattr__(self, "centroids", array)

    @property
    def dims(self) -> int:
        """Dimensions of a whole vector."""
        return self.centroids.shape[0] * self.centroids.shape[2]


def train_product_codebook(
    x: Any,
    *,
    subspaces: int,
    generator: np.random.Generator,
    centroids: int = 256,
    iterations: int = 25,
    start: Literal["sample", "kmeans++"] = "sample",
    threads: int = 1,
) -> ProductCodebook:
    """One k-means a subspace.

    Parameters
    ----------
    x : real, shape (points, dims), finite; subspaces divides dims
    subspaces : int >= 1
    generator : np.random.Generator     each subspace draws from a child of its own: threads do not change the result
    centroids : int in 1..min(points, 65536)
    iterations, start : see `kmeans`
    threads : int >= 1                  subspaces trained at a time

    Raises
    ------
    ShapeError, RangeError    as `kmeans`; subspaces that do not divide dims; a count outside its range

    Notes
    -----
    Jegou, Douze, Schmid 2011, section II-B.
    """
    points = finite_points("x", x)
    if subspaces < 1 or points.shape[1] % subspaces:
        raise ShapeError(f"subspaces={subspaces} must divide the {points.shape[1]} dimensions of x")
    if centroids > 1 << 16:
        raise RangeError(f"centroids={centroids} exceeds 65536, the most a 16-bit code can name")
    parts = np.split(points, subspaces, axis=1)

    def train(part: Points, own: np.random.Generator) -> Points:
        return kmeans(part, centroids, generator=own, iterations=iterations, start=start)

    children = generator.spawn(subspaces)
    return ProductCodebook(centroids=np.stack(_share_out(train, threads, parts, children)))


def encode(codebook: ProductCodebook, x: Any, threads: int = 1) -> NDArray[Any]:
    """The nearest centroid of every subspace.

        code[n, s] = argmin_c |x[n, s] - centroids[s, c]|**2,    the lowest of equals

    Parameters
    ----------
    x : real, shape (points, dims), finite
    threads : int >= 1

    Returns
    -------
    uint8 (uint16 above 256 centroids), shape (points, subspaces)

    Notes
    -----
    Distances are float32 around the middle of the codebook.
    """
    points = finite_points("x", x)
    subspaces, count, _ = codebook.centroids.shape
    if points.shape[1] != codebook.dims:
        raise ShapeError(f"x of shape {points.shape} must have the {codebook.dims} dimensions of the codebook")

    def search(part: Points, centroids: Points) -> NDArray[np.int32]:
        frame = Frame.around(centroids)
        return Panels(part, frame).nearest(frame.enter(centroids))[0]

    codes = np.empty((len(points), subspaces), np.uint8 if count <= 256 else np.uint16)
    found = _share_out(search, threads, np.split(points, subspaces, axis=1), list(codebook.centroids))
    for s, labels in enumerate(found):
        codes[:, s] = labels
    return codes


def decode(codebook: ProductCodebook, codes: Any) -> Points:
    """The vectors that codes stand for.

    Parameters
    ----------
    codes : integers, shape (points, subspaces), each below the number of centroids

    Returns
    -------
    float32, shape (points, dims)
    """
    array = np.asarray(codes)
    subspaces, count, _ = codebook.centroids.shape
    if array.ndim != 2 or array.shape[1] != subspaces or array.dtype.kind not in "iu":
        raise ShapeError(f"codes of shape {array.shape} and type {array.dtype} must be integers (points, {subspaces})")
    if array.size and (int(array.min()) < 0 or int(array.max()) >= count):
        raise RangeError(f"codes in [{array.min()}, {array.max()}] must lie in 0..{count - 1}")
    return codebook.centroids[np.arange(subspaces), array].reshape(len(array), codebook.dims)


def _share_out(work: Any, threads: int, *operands: Any) -> list[Any]:
    if threads < 1:
        raise RangeError(f"threads={threads} must be at least 1")
    if threads == 1:
        return list(map(work, *operands))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, *operands))
