"""Comparators of whole-model outputs, and the tolerance that they are given.

Tolerance of FP32 against FP32. Both sides compute the same sums in different orders. A sum of K products of random sign, each
partial sum rounded with unit roundoff u = 2^-24, has a relative error of about u * sqrt(K / 2) of its typical magnitude. Layers
keep magnitudes (they were trained or initialised to), so errors of successive layers add in quadrature: u * sqrt(sum K / 2), where
the sum over all layers of the model bounds that over any path. Two independent sides: u * sqrt(sum K). The worst of 10^6
outputs lies 5 deviations out, and the last layer's box arithmetic (differences of distances, times the stride) and sigmoid or exp of
logits of magnitude up to about 10 amplify a relative error by up to that magnitude: z = 5 * 10. Thus

    |a - b| <= 50 * u * sqrt(sum K) * max |b| within the channel,

2e-4 for K = 10^4 and a few e-4 for detectors: 0.1 pixel where boxes span 640, and scores judged by their own class's maximum.
"""
import dataclasses

import numpy as np

UNIT_ROUNDOFF = 2.0**-24
WORST_OF_OUTPUTS = 5.0
HEAD_GAIN = 10.0
# ONNX Runtime's logistic is a rational approximation: 1.8e-7 where sigmoid is 4e-8. Differences up to this count as none.
ORACLE_LOGISTIC_ERROR = 8 * UNIT_ROUNDOFF
# A channel that is zero throughout has no scale of its own.
FLOOR = 1e-6


def tolerance(sum_k):
    """Largest |a - b| relative to the channel's largest |b|, for a model whose reductions have sum_k terms along its layers."""
    return WORST_OF_OUTPUTS * HEAD_GAIN * UNIT_ROUNDOFF * max(sum_k, 1) ** 0.5


@dataclasses.dataclass
class Difference:
    """Of one output. `relative` is the worst |a - b| over its channel's largest |b|, less the oracle's own error; `rms` that of all, root mean square."""

    absolute: float
    relative: float
    rms: float
    cosine: float

    def __str__(self):
        return f"max abs {self.absolute:.2e}, max rel {self.relative:.2e}, rms {self.rms:.2e}, 1 - cosine {1 - self.cosine:.1e}"


def check_form(name, got, expected):
    """Raises ValueError unless both have the same shape and type and are finite in the same places."""
    if got.shape != expected.shape or got.dtype != expected.dtype:
        raise ValueError(f"{name}: {got.dtype}{got.shape} is not {expected.dtype}{expected.shape}")
    if got.size == 0:
        raise ValueError(f"{name}: empty")
    if np.issubdtype(got.dtype, np.floating):
        for side, values in (("Tenon", got), ("the oracle", expected)):
            bad = np.count_nonzero(~np.isfinite(values))
            if bad:
                raise ValueError(f"{name}: {bad} of {values.size} values of {side} are NaN or infinite")


def channel_scales(values):
    """Largest |value| of each channel, broadcastable. Channels are the shorter of the last two axes (84 of 84x8400 or
    25200x85) or axis 1 of images; vectors are one channel."""
    if values.ndim < 2:
        axis = ()
    elif values.ndim >= 4:
        axis = (1,)
    else:
        axis = (values.ndim - 2 if values.shape[-2] < values.shape[-1] and values.ndim == 3 else values.ndim - 1,)
        if values.ndim == 2 and values.shape[0] == 1:
            axis = ()
    others = tuple(i for i in range(values.ndim) if i not in axis)
    return np.maximum(np.abs(values).max(axis=others, keepdims=True), FLOOR)


def difference(name, got, expected):
    """The Difference of two tensors of the same form; raises ValueError where the form differs (see check_form)."""
    check_form(name, got, expected)
    a, b = got.astype(np.float64), expected.astype(np.float64)
    scales = channel_scales(b)
    delta = np.abs(a - b)
    scaled_a, scaled_b = a / scales, b / scales
    norms = np.linalg.norm(scaled_a) * np.linalg.norm(scaled_b)
    cosine = float(np.vdot(scaled_a, scaled_b) / norms) if norms > 0 else float(not np.any(delta))
    beyond = np.maximum(delta - ORACLE_LOGISTIC_ERROR, 0)
    return Difference(float(delta.max()), float((beyond / scales).max()),
                      float(np.sqrt(np.mean((delta / scales) ** 2) / np.mean(scaled_b**2))) if norms > 0 else 0.0, cosine)


def row_difference(name, got, expected, slack):
    """The Difference of two lists of detections (batch x rows x [box, score, class, ...]) as sets: a row of one side is held
    against the nearest of the other. Rows whose score is within `slack` of the list's lowest are left out on both sides: which
    of them enters a list of fixed length is decided by the last bits. The rest must match one to one, and the scores in order."""
    check_form(name, got, expected)
    if got.ndim != 3 or got.shape[2] < 6:
        raise ValueError(f"{name}: {got.shape} is not batch x rows x (box, score, class, ...)")
    scales = np.maximum(np.abs(expected).max(axis=(0, 1)).astype(np.float64), FLOOR)
    scales[5] = 1  # another class is another row
    worst, absolute, squares, count = 0.0, 0.0, 0.0, 0
    for a, b in zip(got.astype(np.float64), expected.astype(np.float64)):
        limits = (a[:, 4].min() + slack, b[:, 4].min() + slack)
        for rows, others, limit in ((a, b, limits[0]), (b, a, limits[1])):
            taken = np.zeros(len(others), bool)
            for row in rows[rows[:, 4] > limit]:
                distance = np.abs(others - row) / scales
                each = np.where(taken, np.inf, distance.max(axis=1))
                best = int(each.argmin())
                taken[best] = True
                worst, count = max(worst, float(each[best])), count + 1
                squares += float((distance[best] ** 2).mean())
                absolute = max(absolute, float(np.abs(others[best] - row).max()))
        scores = float(np.abs(np.sort(a[:, 4]) - np.sort(b[:, 4])).max())
        worst, absolute = max(worst, scores / float(scales[4])), max(absolute, scores)
    if count == 0:
        raise ValueError(f"{name}: every score is within {slack:g} of the lowest, nothing can be compared")
    return Difference(absolute, worst, (squares / count) ** 0.5, 1 - worst**2 / 2)
