"""Training in NumPy: a reverse sweep over a graph, and what goes around it.

>>> from refq.training import fit, sgd, cosine
>>> trained = fit(graph, (images, labels), epochs=20, optimizer=sgd(momentum=0.9))          # doctest: +SKIP
"""

from refq.training.batches import batches, chain, flip, pad_crop
from refq.training.checkpoint import State, load_state, save_state
from refq.training.coordinates import coordinate_descent
from refq.training.difference_targets import fit_difference_targets
from refq.training.distillation import distill, distillation, self_distill, with_features
from refq.training.fit import Trained, fit
from refq.training.losses import (
    mean_squared_error,
    softmax_cross_entropy,
    squared_hinge,
)
from refq.training.low_precision import half, half_slopes, integer_slopes, noisy_slopes
from refq.training.network import Network
from refq.training.optimizers import Optimizer, adam, adamw, scaled, sgd
from refq.training.quantized import clip_latent, glorot_factors, quantized
from refq.training.regularizers import proximal, sinusoidal, sinusoidal_widths
from refq.training.schedules import constant, cosine, stepwise, warm_up
from refq.training.sweep import Tape, forward
from refq.transforms.learned_intervals import learned_intervals
from refq.transforms.sign_inputs import binarize, residual_signs, scaled_signs, shifted_signs, without_relu

__all__ = [
    "Network",
    "Optimizer",
    "State",
    "Tape",
    "Trained",
    "adam",
    "adamw",
    "batches",
    "binarize",
    "chain",
    "clip_latent",
    "constant",
    "coordinate_descent",
    "cosine",
    "distill",
    "distillation",
    "fit",
    "fit_difference_targets",
    "flip",
    "forward",
    "glorot_factors",
    "half",
    "half_slopes",
    "integer_slopes",
    "learned_intervals",
    "load_state",
    "mean_squared_error",
    "noisy_slopes",
    "pad_crop",
    "proximal",
    "quantized",
    "residual_signs",
    "save_state",
    "scaled",
    "scaled_signs",
    "self_distill",
    "sgd",
    "shifted_signs",
    "sinusoidal",
    "sinusoidal_widths",
    "softmax_cross_entropy",
    "squared_hinge",
    "stepwise",
    "warm_up",
    "with_features",
    "without_relu",
]
