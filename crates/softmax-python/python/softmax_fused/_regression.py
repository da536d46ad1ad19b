"""Softmax regression as a scikit-learn classifier."""

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

# The types in which X is used as it is. Any other type is converted to the first.
_DTYPES = (np.float64, np.float32, np.float16)


class SoftmaxRegression(ClassifierMixin, BaseEstimator):
    """Multinomial logistic regression.

    Minimises the mean softmax loss plus (l2/2)·‖W‖² over weights W and intercepts. The intercepts are not penalised.

    X keeps its type if it is float32, float64, float16 (computed in float32) or SciPy CSR, and is not copied. Features
    need not be scaled: the solvers find the scales of the features themselves.

    Parameters
    ----------
    l2 : float, default 1e-4
        The penalty λ, at least 0. scikit-learn's C corresponds to l2 = 1/(C·N), where N is the sum of the sample
        weights.
    solver : {"auto", "lbfgs", "newton-cg", "newton-cholesky"}, default "auto"
        "auto" selects "newton-cholesky" for very small problems in float64, with N·(D·C)² at most 500,000 (the
        intercept counts as a feature), and "lbfgs" otherwise.
    tol : float, default 1e-4
        The fit has converged when no entry of the gradient is larger in magnitude than tol.
    max_iter : int, default 1000
        The largest number of iterations, at least 1.
    fit_intercept : bool, default True
        Whether to fit intercepts. Without them they are 0.
    class_weight : dict or "balanced", default None
        Weights of the classes. The loss is then the weighted mean of the sample losses.
    warm_start : bool, default False
        Whether `fit` starts from the weights of the last fit, if they have the same shape.
    threads : int from 1 to 1024, default None
        Default: the environment variable RAYON_NUM_THREADS, else the number of processors available to this process.

    Attributes
    ----------
    classes_ : array of shape (C,)
        The labels, sorted.
    coef_ : array of shape (C, D)
        The weights, one row per class, also with two classes.
    intercept_ : array of shape (C,)
        The intercepts.
    n_iter_ : int
        The number of iterations.
    loss_ : float
        The minimised objective at the end of the fit, with the penalty.
    converged_ : bool
        Whether the gradient is within tol.
    solver_ : str
        The solver that was used; never "auto".
    n_features_in_, feature_names_in_
        As in scikit-learn.

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
        """Fit the model to X (N×D) and labels y (N) of any type, with optional sample weights (N).

        Raises ValueError for the same input as scikit-learn's classifiers. Warns with ConvergenceWarning if the
        gradient is not within `tol` at the end. Ctrl-C interrupts the fit.
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
        """The scores X·W + b (N×C); with two classes, the second class's score minus the first's (N)."""
        X, weights, intercept = self._prepared(X)
        scores = safe_sparse_dot(X, weights, dense_output=True) + intercept
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """The class with the largest score (N); on ties, the first in `classes_`."""
        X, weights, intercept = self._prepared(X)
        best = evaluate(X, weights, b=intercept, outputs=["predicted"], threads=self.threads)
        return self.classes_[best.predicted]

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """log p of every class (N×C). It keeps its relative accuracy also if p is near 1."""
        X, weights, intercept = self._prepared(X)
        scores = safe_sparse_dot(X, weights, dense_output=True) + intercept
        best = scores.argmax(axis=1)[:, np.newaxis]
        scores -= np.take_along_axis(scores, best, axis=1)
        others = np.exp(scores)
        np.put_along_axis(others, best, 0, axis=1)
        # Log-sum-exp minus the largest score is log(1 + the sum of the other exponentials).
        return scores - np.log1p(others.sum(axis=1, keepdims=True))

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of every class (N×C)."""
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
        """The initial W (D×C) and b (C): zeros, or the last fit's if `warm_start` applies. b is None for zeros."""
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
        """X, W (D×C) and b (C) in matching types."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=_DTYPES, reset=False)
        dtype = np.result_type(X.dtype, self.coef_.dtype)
        if X.dtype != np.float16 and X.dtype != dtype:
            X = X.astype(dtype)
        return _canonical(X), self.coef_.T.astype(dtype, copy=False), self.intercept_.astype(dtype, copy=False)


def _computed_in(dtype: np.dtype) -> Any:
    return np.float32 if dtype == np.float16 else dtype


def _canonical(X: Any) -> Any:
    """X as the core reads it, copied if it has to change: aligned; a sparse X in contiguous arrays, with its columns sorted
    within rows and without duplicates."""
    if not scipy.sparse.issparse(X):
        return np.require(X, requirements="A")
    parts = (X.data, X.indices, X.indptr)
    if not all(part.flags.c_contiguous for part in parts):
        X = type(X)(tuple(np.ascontiguousarray(part) for part in parts), shape=X.shape)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X
