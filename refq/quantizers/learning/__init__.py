"""Quantizers with gradients: what training learns besides weights, one method a file."""

from refq.quantizers.learning.protocol import Learned, Moment, Pull, Trainable

__all__ = ["Learned", "Moment", "Pull", "Trainable"]
