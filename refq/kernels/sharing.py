"""Work for several threads; kernels run without the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread


def share(threads: int, total: int, step: int, work: Callable[[int, int], None]) -> None:
    """Call work(low, high) over [0, total), cut at multiples of `step` into at most `threads` even pieces.

    The caller's thread takes the last piece; an error in any piece is raised when all have ended.
    """
    units = -(-total // step)
    pieces = max(1, min(threads, units))
    cuts = [min(total, units * i // pieces * step) for i in range(pieces + 1)]
    errors: list[BaseException] = []

    def piece(low: int, high: int) -> None:
        try:
            work(low, high)
        except BaseException as error:  # handed to the caller
            errors.append(error)

    started = [Thread(target=piece, args=cuts[i : i + 2]) for i in range(pieces - 1)]
    for thread in started:
        thread.start()
    piece(*cuts[-2:])
    for thread in started:
        thread.join()
    if errors:
        raise errors[0]
