"""Every error refq raises on purpose.

Each class derives from `RefqError` and from the builtin a caller would catch without knowing refq, so both
``except RefqError`` and ``except ValueError`` work. The text names the subject and its value, the limit it breaks,
where it stands, and the remedy.
"""

from typing import Any


class RefqError(Exception):
    """Base of all errors raised by refq."""


class LoadError(RefqError, ValueError):
    """A model file cannot be read: missing, truncated, of another kind, or contradicting itself."""


class UnsupportedError(RefqError, ValueError):
    """The input is well formed, but holds something refq has no rule for; every such thing is named."""


class GraphError(RefqError, ValueError):
    """A graph breaks its own rules: a tensor without producer, a cycle, a duplicate name."""


class ShapeError(RefqError, ValueError):
    """Shapes that do not fit together; both are in the text."""


class RangeError(RefqError, ValueError):
    """A value lies outside its legal range."""


class AccumulatorOverflowError(RefqError, OverflowError):
    """A sum left the accumulator of the chosen arithmetic profile."""


class CalibrationError(RefqError, ValueError):
    """Calibration data that is empty, of the wrong shape, or not finite."""


class TrainingError(RefqError, ArithmeticError):
    """A training run that diverged; step, layer and last good checkpoint are in the text."""


class blame:
    """Context: put a node's operation and name in front of any refq error raised inside.

    Parameters
    ----------
    node : anything with `op` and `name`
    """

    def __init__(self, node: Any) -> None:
        self.node = node

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, RefqError) and f"{self.node.name!r}" not in str(error):
            raise type(error)(f"{self.node.op} {self.node.name!r}: {error}") from error
