"""A reference for the tests: the loss and its gradients in NumPy, in float64, straight from the formula."""

from __future__ import annotations

import numpy as np


def reference(
    X,
    W,
    y=None,
    *,
    Y=None,
    b=None,
    class_weight=None,
    sample_weight=None,
    label_smoothing=0.0,
    ignore_index=None,
    reduction="mean",
    l2=0.0,
    z_loss=0.0,
    softcap=None,
    temperature=1.0,
):
    X, W = np.asarray(X, np.float64), np.asarray(W, np.float64)
    (n, c) = (len(X), W.shape[1])
    b = np.zeros(c) if b is None else np.asarray(b, np.float64)
    w = np.ones(c) if class_weight is None else np.asarray(class_weight, np.float64)
    u = np.ones(n) if sample_weight is None else np.asarray(sample_weight, np.float64)
    raw = (X @ W + b) / temperature
    scores = raw if softcap is None else softcap * np.tanh(raw / softcap)
    slope = np.ones_like(raw) if softcap is None else 1 - np.tanh(raw / softcap) ** 2
    lse = np.logaddexp.reduce(scores, axis=1)
    p = np.exp(scores - lse[:, None])
    if Y is None:
        y = np.asarray(y).astype(np.int64)
        counts = np.ones(n, bool) if ignore_index is None else y != ignore_index
        label = np.where(counts, y, 0)
        a = np.zeros((n, c))
        a[np.arange(n), label] = (1 - label_smoothing) * w[label]
        a += label_smoothing * w / c
        total = (u * w[label])[counts].sum()
    else:
        counts = np.ones(n, bool)
        a = ((1 - label_smoothing) * np.asarray(Y, np.float64) + label_smoothing / c) * w
        total = u.sum()
    a[~counts] = 0
    mass = a.sum(axis=1)
    with np.errstate(invalid="ignore"):
        losses = u * (mass * lse - np.where(a > 0, a * scores, 0).sum(axis=1) + z_loss * lse**2) * counts
    omega = total if reduction == "mean" else 1.0
    G = (u / omega * counts)[:, None] * ((mass + 2 * z_loss * lse)[:, None] * p - a) * slope / temperature
    return {
        "loss": losses.sum() / omega + l2 / 2 * (W**2).sum(),
        "dW": X.T @ G + l2 * W,
        "dX": G @ W.T,
        "db": G.sum(axis=0),
        "sample_loss": losses,
        "lse": lse,
        "log_p": scores - lse[:, None],
    }
