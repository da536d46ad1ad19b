"""A scikit-learn classifier."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import compute_class_weight
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from softmax_fused import _core
from softmax_fused._evaluate import evaluate

# As they come: the first is what everything else becomes.
_DTYPES = (np.float64, np.float32, np.float16)


class SoftmaxRegression(ClassifierMixin, BaseEstimator):
    """Multinomial logistic regression, trained by minimising the mean softmax loss plus (l2/2)·‖W‖² over weights and intercepts.

    X stays in its type: float32, float64, float16 (computed with in float32), and SciPy CSR. It is not copied, and need not be
    scaled: the solvers find the scales of the features themselves. The intercepts are not penalised.

    Parameters
    ----------
    l2 : float, default 1e-4
        The penalty λ, at least 0. scikit-learn's C corresponds to l2 = 1/(C·N), with N the sum of the sample weights.
    solver : "auto", "lbfgs", "newton-cg" or "newton-cholesky", default "auto"
        The first takes L-BFGS, and Newton-Cholesky where N·(D·C)² is less than half a million, in float64.
    tol : float, default 1e-4
        The largest |entry| that the gradient of the mean loss may have at the end.
    max_iter : int, default 1000
    fit_intercept : bool, default True
    class_weight : None, dict or "balanced", default None
        With weights, the mean is a weighted one.
    warm_start : bool, default False
        Whether `fit` starts from the last fit's weights, where they are of the same shape.
    threads : int, default None
        By default as many as this process has processors, or RAYON_NUM_THREADS says.

    Attributes
    ----------
    classes_ : (C,) the labels, sorted
    coef_ : (C, D) weights, one row per class, of two classes too
    intercept_ : (C,)
    n_iter_ : int
    loss_ : float, what was minimised, at the end
    converged_ : bool, whether the gradient is within tol
    solver_ : str, the one that was used
    n_features_in_, feature_names_in_ : as in scikit-learn

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from softmax_fused import SoftmaxRegression
    >>> X, y = load_digits(return_X_y=True)
    >>> bool(SoftmaxRegression(l2=1e-3).fit(X, y).score(X, y) > 0.96)
    True
    """

    def __init__(
        self,
        l2: float = 1e-4,
        *,
        solver: str = "auto",
        tol: float = 1e-4,
        max_iter: int = 1000,
        fit_intercept: bool = True,
        class_weight: Any = None,
        warm_start: bool = False,
        threads: int | None = None,
    ) -> None:
        self.l2 = l2
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.threads = threads

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SoftmaxRegression:
        """Trains on X (N×D) and labels y (N) of any type, with weights (N) of the samples.

        Raises ValueError where scikit-learn's classifiers do, and warns where the gradient is not within `tol`. Ctrl-C ends it.
        """
        self._check_limits()
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=_DTYPES)
        X = _canonical(X)
        check_classification_targets(y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=_computed_in(X.dtype))
        classes, labels = np.unique(y, return_inverse=True)
        weights, intercept = self._start(len(classes), X)
        class_weight = self._class_weight(y, classes, labels, sample_weight)
        problem = _core.Problem(X, weights, labels, None, intercept, class_weight, sample_weight, {"l2": self.l2})
        fitted = _core.minimize(
            problem, self.solver, self.tol, self.max_iter, bool(self.fit_intercept), self.threads
        )
        self.classes_ = classes
        self.coef_ = fitted["W"].T
        self.intercept_ = np.zeros_like(self.coef_[:, 0]) if fitted["b"] is None else fitted["b"]
        self.n_iter_ = fitted["iterations"]
        self.loss_ = fitted["loss"]
        self.converged_ = fitted["converged"]
        self.solver_ = fitted["solver"]
        if not self.converged_:
            warnings.warn(
                f"{self.solver_} stopped after {self.n_iter_} iterations: {fitted['reason']}; the largest entry of the gradient "
                f"is {fitted['gradient_max']:.3g}, tol is {self.tol:.3g}",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores X·W + b (N×C); of two classes the second's less the first's (N)."""
        X, weights, intercept = self._prepared(X)
        scores = safe_sparse_dot(X, weights, dense_output=True) + intercept
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """The class with the largest score (N), the first of equals."""
        X, weights, intercept = self._prepared(X)
        best = evaluate(X, weights, b=intercept, outputs=["predicted"], threads=self.threads)
        return self.classes_[best.predicted]

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """log p of every class (N×C), with its digits also where p is next to 1."""
        X, weights, intercept = self._prepared(X)
        scores = safe_sparse_dot(X, weights, dense_output=True) + intercept
        best = scores.argmax(axis=1)[:, np.newaxis]
        scores -= np.take_along_axis(scores, best, axis=1)
        others = np.exp(scores)
        np.put_along_axis(others, best, 0, axis=1)
        # lse less the largest score is log(1 + the sum of the others).
        return scores - np.log1p(others.sum(axis=1, keepdims=True))

    def predict_proba(self, X: Any) -> np.ndarray:
        """p of every class (N×C)."""
        return np.exp(self.predict_log_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_limits(self) -> None:
        if not (isinstance(self.max_iter, Integral) and self.max_iter >= 1):
            raise ValueError(f"max_iter: expected an integer, at least 1, found {self.max_iter!r}")
        if not (isinstance(self.tol, Real) and self.tol >= 0):
            raise ValueError(f"tol: expected a number, at least 0, found {self.tol!r}")

    def _start(self, n_classes: int, X: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """W (D×C) and b (C) to start from."""
        shape, dtype = (X.shape[1], n_classes), _computed_in(X.dtype)
        if self.warm_start and getattr(self, "coef_", np.empty(0)).T.shape == shape:
            weights, intercept = self.coef_.T.astype(dtype), self.intercept_.astype(dtype)
            return weights, intercept if self.fit_intercept else None
        return np.zeros(shape, dtype), None

    def _class_weight(
        self, y: np.ndarray, classes: np.ndarray, labels: np.ndarray, sample_weight: Any
    ) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if not isinstance(self.class_weight, (dict, str)):
            raise ValueError(f"class_weight: expected None, a dict or 'balanced', found {self.class_weight!r}")
        if self.class_weight == "balanced":
            counts = np.bincount(labels, sample_weight, len(classes))
            return counts.sum() / (len(counts) * np.where(counts > 0, counts, np.inf))
        return compute_class_weight(self.class_weight, classes=classes, y=y)

    def _prepared(self, X: Any) -> tuple[Any, np.ndarray, np.ndarray]:
        """X, W (D×C) and b (C) in types that go together."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=_DTYPES, reset=False)
        dtype = np.result_type(X.dtype, self.coef_.dtype)
        if X.dtype != np.float16 and X.dtype != dtype:
            X = X.astype(dtype)
        return _canonical(X), self.coef_.T.astype(dtype, copy=False), self.intercept_.astype(dtype, copy=False)


def _computed_in(dtype: np.dtype) -> Any:
    return np.float32 if dtype == np.float16 else dtype


def _canonical(X: Any) -> Any:
    """A sparse X with its columns in order, each once."""
    if scipy.sparse.issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X
