"""The loss in NumPy without loss of digits, by the formulas of softmax-core: a starting point for a backend."""
import numpy as np

from softmax_backend import serve


def masses(p):
    """The target masses a (N×C), the terms of Ω, the sample weights, and which samples count (N each)."""
    T = p.W.dtype.type
    w = np.ones(p.classes, T) if p.class_weight is None else p.class_weight
    u = np.ones(p.samples, T) if p.sample_weight is None else p.sample_weight
    if p.y is None:
        Y, counts, of_label = p.Y, np.ones(p.samples, bool), u
    else:
        counts = np.ones(p.samples, bool) if p.ignore_index is None else p.y != p.ignore_index
        labels = np.where(counts, p.y, 0)
        Y = np.zeros((p.samples, p.classes), T)
        Y[np.arange(p.samples), labels] = 1
        of_label = u * w[labels]
    a = (T(1 - p.label_smoothing) * Y + T(p.label_smoothing / p.classes)) * w
    return np.where(counts[:, None], a, 0), np.where(counts, of_label, 0), np.where(counts, u, 0), counts


def evaluate(p):
    T, rows = p.W.dtype.type, np.arange(p.samples)
    a, of_label, u, counts = masses(p)
    total = of_label.sum(dtype=np.float64) if p.reduction == "mean" else 1.0
    S = (p.X @ p.W + (0 if p.b is None else p.b)) / T(p.temperature)
    best = S.argmax(1)
    m = S[rows, best]
    distances = m[:, None] - S
    E = np.exp(-distances)
    # The exponentials except the largest are summed alone: 1 + rest would lose digits of a confident prediction.
    others = E.copy()
    others[rows, best] = 0
    rest = others.sum(1)
    # exp(0), or NaN if the largest score is not finite.
    one = E[rows, best]
    log_sum = np.log1p(rest) + (one - 1)
    A = a.sum(1)
    # A class with score −∞ is at distance ∞; with a = 0 the product 0·∞ would be NaN.
    cross = np.where(a == 0, 0, a * distances).sum(1)
    losses = np.where(counts, u * (cross + A * log_sum), 0)
    # At the largest score A·p − a = (A − a) − A·(1 − p), where 1 − p is the share of the others.
    G = A[:, None] * (E / (one + rest)[:, None]) - a
    G[rows, best] = (A - a[rows, best]) - A * (rest / (one + rest))
    # In f64: factors may be tiny or huge, and sums over many samples lose digits in f32.
    with np.errstate(all="ignore"):
        G = np.where(counts[:, None], G * (u / (total * p.temperature))[:, None].astype(np.float64), 0)
        loss = losses.sum(dtype=np.float64) / total
        answer = {"loss": loss, "total_weight": total, "predicted": best, "sample_loss": losses, "lse": m + log_sum}
        answer["dW"] = (np.where(counts[:, None], p.X, 0).T.astype(np.float64) @ G).astype(T)
        answer["db"] = G.sum(0).astype(T)
        answer["dX"] = np.where(counts[:, None], G @ p.W.T, 0).astype(T)
    return answer


if __name__ == "__main__":
    serve(
        evaluate,
        version=f"NumPy {np.__version__}",
        supports=["f32", "f64", "one_class", "soft_targets", "bias", "class_weights", "sample_weights", "sum_reduction",
                  "label_smoothing", "ignore_index", "temperature", "features_gradient", "bias_gradient",
                  "sample_losses", "log_sum_exp", "predicted"],
    )
