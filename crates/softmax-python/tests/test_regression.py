"""`SoftmaxRegression`: scikit-learn's estimator checks, agreement with LogisticRegression, and documented behaviour."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

sparse = pytest.importorskip("scipy.sparse")
pytest.importorskip("sklearn")

from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from softmax_fused import SoftmaxRegression

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", [{}, {"solver": "newton-cholesky"}, {"class_weight": "balanced"}])
def test_scikit_learns_checks_pass(options):
    expected_to_be_skipped = {"pandas", "polars", "SCIPY_ARRAY_API"}
    checks = check_estimator(SoftmaxRegression(**options), on_fail=None)
    failed = {check["check_name"]: check["exception"] for check in checks if check["status"] == "failed"}
    assert not failed
    for check in checks:
        if check["status"] == "skipped":
            assert any(name in str(check["exception"]) for name in expected_to_be_skipped), check
    assert sum(check["status"] == "passed" for check in checks) > 50


def objective(model, X, y, l2):
    log_p = model.predict_log_proba(X)
    labels = np.searchsorted(model.classes_, y)
    return -log_p[np.arange(len(y)), labels].mean() + l2 / 2 * (model.coef_**2).sum()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_minimum_is_that_of_logistic_regression(fit_intercept):
    X, y = load_digits(return_X_y=True)
    X, l2 = X / 16, 1e-3
    ours = SoftmaxRegression(l2=l2, tol=1e-7, fit_intercept=fit_intercept).fit(X, y)
    theirs = LogisticRegression(C=1 / (l2 * len(y)), tol=1e-7, max_iter=5000, fit_intercept=fit_intercept).fit(X, y)
    assert ours.converged_
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)
    assert objective(ours, X, y, l2) <= objective(theirs, X, y, l2) * (1 + 1e-9)
    np.testing.assert_allclose(ours.loss_, objective(ours, X, y, l2), rtol=1e-12)
    assert (ours.predict(X) == theirs.predict(X)).mean() > 0.999


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_each_type_is_fitted_as_it_is(dtype):
    X, y = load_digits(return_X_y=True)
    model = SoftmaxRegression(l2=1e-2).fit((X / 16).astype(dtype), y)
    assert model.coef_.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert model.score(X.astype(dtype) / 16, y) > 0.95
    # A model of one type predicts features of another.
    for other in (np.float16, np.float32, np.float64):
        assert (model.predict((X / 16).astype(other)) == model.predict(X / 16)).mean() > 0.99


def test_sparse_features_give_the_model_of_dense_ones():
    X, y = load_digits(return_X_y=True)
    dense = SoftmaxRegression(l2=1e-2, tol=1e-8).fit(X, y)
    for container in (sparse.csr_matrix, sparse.csr_array, sparse.csc_array, sparse.coo_array):
        model = SoftmaxRegression(l2=1e-2, tol=1e-8).fit(container(X), y)
        np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-6)
        np.testing.assert_allclose(model.predict_proba(container(X)), dense.predict_proba(X), atol=1e-5)
    twice = sparse.csr_array(
        (np.r_[X[0], X[0]] / 2, np.r_[np.arange(64), np.arange(64)], np.array([0, 128])), shape=(1, 64)
    )
    np.testing.assert_allclose(dense.decision_function(twice), dense.decision_function(X[:1]))
    assert twice.nnz == 128


def test_two_classes_have_one_score_and_two_rows_of_weights():
    X, y = make_classification(random_state=0)
    names = np.array(["no", "yes"])[y]
    model = SoftmaxRegression(l2=1e-2).fit(X, names)
    assert model.coef_.shape == (2, X.shape[1])
    assert model.decision_function(X).shape == (len(X),)
    assert ((model.decision_function(X) > 0) == (model.predict(X) == "yes")).all()
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_balanced_weights_are_those_of_a_balanced_sample():
    X, y = load_iris(return_X_y=True)
    X, y = X[:120], y[:120]
    balanced = SoftmaxRegression(l2=1e-2, tol=1e-9, class_weight="balanced").fit(X, y)
    counts = np.bincount(y)
    weighted = SoftmaxRegression(l2=1e-2, tol=1e-9).fit(X, y, sample_weight=1 / counts[y])
    by_dict = SoftmaxRegression(l2=1e-2, tol=1e-9, class_weight=dict(enumerate(1 / counts))).fit(X, y)
    np.testing.assert_allclose(balanced.coef_, weighted.coef_, atol=1e-6)
    np.testing.assert_allclose(balanced.coef_, by_dict.coef_, atol=1e-6)


def test_a_warm_start_goes_on_from_the_last_fit():
    X, y = load_digits(return_X_y=True)
    model = SoftmaxRegression(l2=1e-2, warm_start=True).fit(X, y)
    first = model.n_iter_
    model.fit(X, y)
    assert model.n_iter_ <= 1 < first and model.solver_ == "lbfgs"
    # With another number of classes the fit starts from zeros.
    assert model.fit(X[y < 5], y[y < 5]).coef_.shape == (5, 64)


def test_a_pickled_model_predicts_the_same():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression().fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert (again.predict_log_proba(X) == model.predict_log_proba(X)).all()


def test_confident_predictions_keep_their_digits():
    X = np.array([[-1.0], [1.0]])
    model = SoftmaxRegression(l2=1e-2).fit(X, [0, 1])
    far = np.array([[1e3]]) / np.abs(model.coef_).max() * 0.1
    log_p = model.predict_log_proba(far)
    gap = model.decision_function(far)[0]
    np.testing.assert_allclose(log_p[0, 1], -np.log1p(np.exp(-gap)), rtol=1e-12)
    assert log_p[0, 1] < 0


def test_it_goes_with_pipelines_and_searches():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegression())
    assert cross_val_score(pipeline, X, y).mean() > 0.9
    search = GridSearchCV(SoftmaxRegression(), {"l2": [1e-3, 1e-1]}).fit(X, y)
    assert search.best_params_["l2"] in (1e-3, 1e-1)


def test_a_limit_is_a_warning():
    X, y = load_digits(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="the limit of iterations is reached"):
        model = SoftmaxRegression(max_iter=2).fit(X, y)
    assert not model.converged_ and model.n_iter_ == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l2": -1.0}, "l2: expected a finite number, at least 0"),
        ({"solver": "sgd"}, "solver: expected one of auto, lbfgs"),
        ({"max_iter": 0}, "max_iter: expected an integer"),
        ({"tol": -1.0}, "tol: expected a number"),
        ({"class_weight": np.ones(3)}, "class_weight: expected None, a dict"),
        ({"threads": 0}, "threads: expected a number from 1"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_parameter(options, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        SoftmaxRegression(**options).fit(X, y)


def test_a_fit_that_fails_leaves_the_last_model():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression().fit(X, y)
    expected = model.predict(X)
    with pytest.raises(ValueError):
        model.set_params(l2=-1.0).fit(X, y > 0)
    assert (model.predict(X) == expected).all()


INTERRUPTED = """
import numpy as np
from softmax_fused import SoftmaxRegression
rng = np.random.default_rng(0)
X, y = rng.standard_normal((100000, 200)), rng.integers(0, 50, 100000)
print("fitting", flush=True)
try:
    SoftmaxRegression(l2=0, tol=0, max_iter=10**9, threads=1).fit(X, y)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(os.name != "posix", reason="a signal of POSIX")
def test_ctrl_c_ends_a_fit():
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "fitting\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "interrupted\n"
    assert process.returncode == 0


def test_arrays_that_numpy_reads_are_read():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression(l2=1e-3).fit(X, y)
    unaligned = np.frombuffer(b"x" + X.tobytes(), offset=1).reshape(X.shape)
    strided = sparse.csr_array(X)
    strided.data = np.repeat(strided.data, 2)[::2]
    for same in (unaligned, strided):
        again = SoftmaxRegression(l2=1e-3).fit(same, y)
        assert (again.predict(same) == model.predict(X)).all()


def test_a_feature_that_underflows_costs_nothing():
    X, y = load_iris(return_X_y=True)
    with_tiny = np.c_[X, 1e-40 * X[:, 1]].astype(np.float32)
    assert SoftmaxRegression(l2=0, max_iter=1000).fit(with_tiny, y).score(with_tiny, y) > 0.97
