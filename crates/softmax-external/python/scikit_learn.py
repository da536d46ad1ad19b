"""The loss that scikit-learn's LogisticRegression minimises: its LinearModelLoss with HalfMultinomialLoss."""
import numpy as np
import sklearn
from sklearn._loss.loss import HalfMultinomialLoss
from sklearn.linear_model._linear_loss import LinearModelLoss

from softmax_backend import serve, threads


def evaluate(p):
    with_bias = p.b is not None or "db" in p.outputs
    objective = LinearModelLoss(base_loss=HalfMultinomialLoss(n_classes=p.classes), fit_intercept=with_bias)
    coefficients = p.W.T
    if with_bias:
        b = np.zeros(p.classes, p.W.dtype) if p.b is None else p.b
        coefficients = np.column_stack([coefficients, b])
    coefficients, X = np.asfortranarray(coefficients), np.ascontiguousarray(p.X)
    targets = p.y.astype(X.dtype)

    def run():
        loss, gradient = objective.loss_gradient(
            coefficients, X, targets, sample_weight=p.sample_weight, l2_reg_strength=p.l2, n_threads=threads()
        )
        answer = {"loss": loss, "correct": correct, "dW": gradient[:, : p.features].T}
        if with_bias:
            answer["db"] = gradient[:, p.features]
        return answer

    # LogisticRegression.predict takes the class with the largest score, too.
    correct = np.count_nonzero(objective.weight_intercept_raw(coefficients, X)[2].argmax(1) == p.y)
    return run


serve(
    evaluate,
    version=f"scikit-learn {sklearn.__version__}",
    supports=["f32", "f64", "bias", "sample_weights", "l2", "bias_gradient"],
)
