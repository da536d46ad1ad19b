"""numpy_careful.py with one mistake that users have reported in libraries: `python3 mistaken.py KIND`."""
import copy
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
import numpy_careful as right  # noqa: E402  (after the path)
from softmax_backend import serve  # noqa: E402

GRADIENTS = ("dW", "dX", "db")


def scaled(answer, factor):
    for name in ("loss", *GRADIENTS):
        answer[name] = answer[name] * answer[name].dtype.type(factor)
    return answer


def confident(p):
    """The loss is −log of a probability, which may have been rounded to 1."""
    answer = right.evaluate(p)
    S = (p.X @ p.W + (0 if p.b is None else p.b)) / p.W.dtype.type(p.temperature)
    P = np.exp(S - S.max(1, keepdims=True))
    P /= P.sum(1, keepdims=True)
    a, _, u, counts = right.masses(p)
    with np.errstate(all="ignore"):
        losses = np.where(counts, u * np.where(a == 0, 0, -a * np.log(P)).sum(1), 0)
        answer["loss"] = losses.sum(dtype=np.float64) / answer["total_weight"]
    return answer


def ignored(p):
    """With class weights, ignored samples count in the mean."""
    answer = right.evaluate(p)
    if p.reduction == "mean" and p.ignore_index is not None and p.y is not None and p.class_weight is not None:
        total = answer["total_weight"]
        return scaled(answer, total / (total + (p.y == p.ignore_index).sum()))
    return answer


def bias(p):
    """The bias is not divided by the temperature."""
    p = copy.copy(p)
    if p.b is not None:
        p.b = p.b * p.W.dtype.type(p.temperature)
    return right.evaluate(p)


def smoothing(p):
    """Label smoothing weights the mass of every class by the class weight of the label."""
    masses = right.masses

    def of_label(p):
        a, weights, u, counts = masses(p)
        if p.y is not None and p.class_weight is not None:
            plain = copy.copy(p)
            plain.class_weight = None
            labels = np.where(counts, p.y, 0)
            a = masses(plain)[0] * p.class_weight[labels][:, None]
        return a, weights, u, counts

    right.masses = of_label
    try:
        return right.evaluate(p)
    finally:
        right.masses = masses


def denominator(p):
    """The mean divides by the number of samples, even if they have weights."""
    answer = right.evaluate(p)
    if p.reduction == "mean":
        return scaled(answer, answer["total_weight"] / max(right.masses(p)[3].sum(), 1))
    return answer


serve(
    globals()[sys.argv[1]],
    version="mistaken",
    supports=["f32", "f64", "one_class", "soft_targets", "bias", "class_weights", "sample_weights", "sum_reduction",
              "label_smoothing", "ignore_index", "temperature", "features_gradient", "bias_gradient"],
)
