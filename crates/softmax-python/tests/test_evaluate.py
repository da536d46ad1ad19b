"""`evaluate` on NumPy arrays and SciPy CSR matrices."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import reference

import softmax_fused
from softmax_fused import _core, evaluate

OUTPUTS = ("dW", "db", "dX", "sample_loss", "lse")
BOUND = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-4}


def problem(n=37, d=11, c=5, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)).astype(dtype)
    W = rng.standard_normal((d, c)).astype(dtype)
    return X, W, rng.integers(0, c, n)


def assert_agrees(result, expected, dtype=np.float64):
    bound = BOUND[np.dtype(dtype)]
    assert result.loss == pytest.approx(expected["loss"], rel=bound, abs=bound)
    for name in OUTPUTS:
        found = getattr(result, name)
        assert found.dtype == dtype
        scale = max(1.0, np.abs(expected[name]).max(initial=0.0))
        np.testing.assert_allclose(found, expected[name], rtol=0, atol=bound * scale, err_msg=name)


@pytest.mark.parametrize("backend", softmax_fused.backends())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_backend_agrees_with_the_formula(backend, dtype):
    X, W, y = problem(dtype=dtype)
    y[3] = -100
    options = dict(
        b=np.linspace(-1, 1, 5),
        class_weight=[1, 2, 0.5, 1, 3],
        sample_weight=np.linspace(0.1, 2, 37),
        label_smoothing=0.1,
        ignore_index=-100,
        l2=0.3,
        z_loss=1e-2,
        softcap=4.0,
        temperature=1.5,
    )
    result = evaluate(X, W, y, outputs=OUTPUTS, backend=backend, **options)
    assert_agrees(result, reference(X, W, y, **options), dtype)


@settings(max_examples=300, deadline=None)
@given(
    n=st.integers(1, 40),
    d=st.integers(0, 20),
    c=st.integers(1, 80),
    is_soft=st.booleans(),
    has_bias=st.booleans(),
    has_class_weight=st.booleans(),
    has_sample_weight=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    ignored=st.sampled_from([None, -100, 0]),
    reduction=st.sampled_from(["mean", "sum"]),
    l2=st.sampled_from([0.0, 0.5]),
    z_loss=st.sampled_from([0.0, 0.01]),
    softcap=st.sampled_from([None, 3.0]),
    temperature=st.sampled_from([1.0, 0.5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_problems_agree_with_the_formula(
    n,
    d,
    c,
    is_soft,
    has_bias,
    has_class_weight,
    has_sample_weight,
    smoothing,
    ignored,
    reduction,
    l2,
    z_loss,
    softcap,
    temperature,
    seed,
):
    X, W, y = problem(n, d, c, seed=seed)
    rng = np.random.default_rng(seed)
    targets = dict(Y=rng.random((n, c))) if is_soft else dict(y=y)
    if not is_soft and ignored == -100:
        y[rng.random(n) < 0.2] = -100
    if not is_soft and ((y == ignored).all() if ignored is not None else False):
        reduction = "sum"
    options = dict(
        b=rng.standard_normal(c) if has_bias else None,
        class_weight=rng.random(c) + 0.1 if has_class_weight else None,
        sample_weight=rng.random(n) + 0.1 if has_sample_weight else None,
        label_smoothing=smoothing,
        ignore_index=ignored,
        reduction=reduction,
        l2=l2,
        z_loss=z_loss,
        softcap=softcap,
        temperature=temperature,
    )
    result = evaluate(X, W, **targets, **options, outputs=OUTPUTS)
    if is_soft:
        options["ignore_index"] = None
    assert_agrees(result, reference(X, W, **targets, **options))


def test_facts_of_rows_are_those_of_the_probabilities():
    X, W, y = problem()
    names = ("predicted", "entropy", "label_log_prob", "label_rank")
    result = evaluate(X, W, y, outputs=names, top=3)
    log_p = reference(X, W, y)["log_p"]
    order = np.argsort(-log_p, axis=1, kind="stable")
    assert (result.predicted == order[:, 0]).all()
    assert (result.top_classes == order[:, :3]).all()
    assert result.predicted.dtype == result.top_classes.dtype == result.label_rank.dtype == np.int64
    np.testing.assert_allclose(result.top_log_prob, np.take_along_axis(log_p, order[:, :3], 1), atol=1e-13)
    np.testing.assert_allclose(result.entropy, -(np.exp(log_p) * log_p).sum(1), atol=1e-13)
    np.testing.assert_allclose(result.label_log_prob, log_p[np.arange(37), y], atol=1e-13)
    assert (result.label_rank == (log_p > log_p[np.arange(37), y][:, None]).sum(1)).all()
    assert result.correct == (order[:, 0] == y).sum()
    assert result.dW is None and result.lse is None


def test_without_targets_there_are_scores_alone():
    X, W, _ = problem()
    result = evaluate(X, W, outputs=("predicted", "lse"))
    assert (result.loss, result.correct) == (0.0, None)
    assert (result.predicted == (X @ W).argmax(1)).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_gives_the_bits_of_the_widened_arrays(dtype):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    X, W, y = problem(dtype=np.float32)
    half = np.float16 if dtype == "float16" else ml_dtypes.bfloat16
    X, W = X.astype(half), W.astype(half)
    found = evaluate(X, W, y, outputs=OUTPUTS)
    expected = evaluate(X.astype(np.float32), W.astype(np.float32), y, outputs=OUTPUTS)
    mixed = evaluate(X, W.astype(np.float64), y, outputs=OUTPUTS)
    assert found.loss == expected.loss
    for name in OUTPUTS:
        assert (getattr(found, name) == getattr(expected, name)).all()
        assert getattr(mixed, name).dtype == np.float64


def strided(array):
    yield "Fortran order", np.asfortranarray(array)
    yield "every other", np.repeat(np.repeat(array, 2, 0), 3, 1)[::2, ::3]
    yield "backwards", np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    yield "of a wider array", np.pad(array, ((2, 1), (0, 3)))[2:-1, :-3]


def test_strides_change_nothing_and_nothing_is_copied():
    X, W, y = problem()
    expected = evaluate(X, W, y, outputs=OUTPUTS)
    for layout, x in strided(X):
        for its, w in strided(W):
            found = evaluate(x, w, y, outputs=OUTPUTS)
            assert found.loss == expected.loss, (layout, its)
            assert all((getattr(found, name) == getattr(expected, name)).all() for name in OUTPUTS)
            addresses = _core.Problem(x, w, y, None, None, None, None, {}).addresses()
            assert addresses == (x.ctypes.data, w.ctypes.data)


def test_a_row_of_strides_zero_is_read_where_it_lies():
    X = np.broadcast_to(np.arange(3.0), (4, 3))
    result = evaluate(X, np.eye(3), [0, 1, 2, 0], outputs=OUTPUTS)
    assert_agrees(result, reference(X, np.eye(3), [0, 1, 2, 0]))


def test_the_gradient_of_weights_has_their_memory_order():
    X, W, y = problem()
    assert evaluate(X, W, y).dW.flags.c_contiguous
    assert evaluate(X, np.asfortranarray(W), y).dW.flags.f_contiguous


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", ">u8"])
def test_labels_of_any_integer_type(dtype):
    X, W, y = problem()
    expected = evaluate(X, W, y)
    assert evaluate(X, W, y.astype(dtype)).loss == expected.loss
    assert evaluate(X, W, np.repeat(y, 2).astype(dtype)[::2]).loss == expected.loss
    packed = np.zeros(37, [("x", "u1"), ("y", dtype)])
    packed["y"] = y
    assert evaluate(X, W, packed["y"]).loss == expected.loss


def test_lists_are_arrays():
    assert evaluate([[1, 2], [3, 4]], [[0, 1], [1, 0]], [0, 1]).dW.dtype == np.float64
    assert evaluate(np.zeros((0, 2)), np.zeros((2, 3)), []).correct == 0


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_csr_agrees_with_the_dense_matrix(index, dtype):
    sparse = pytest.importorskip("scipy.sparse")
    X, W, y = problem(dtype=dtype)
    X[np.random.default_rng(1).random(X.shape) < 0.7] = 0
    for container in (sparse.csr_matrix, sparse.csr_array):
        csr = container(X)
        csr.indices, csr.indptr = csr.indices.astype(index), csr.indptr.astype(index)
        names = ("dW", "db", "sample_loss", "lse")
        found, dense = evaluate(csr, W, y, outputs=names), evaluate(X, W, y, outputs=names)
        for name in names:
            np.testing.assert_allclose(getattr(found, name), getattr(dense, name), atol=BOUND[np.dtype(dtype)])
        made = _core.Problem(csr, W, y, None, None, None, None, {})
        assert made.addresses() == (csr.data.ctypes.data, W.ctypes.data)


def test_csr_that_is_not_canonical_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    _, W, _ = problem(d=3)
    twice = sparse.csr_array((np.ones(3), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 3))
    with pytest.raises(ValueError, match="strictly increasing columns"):
        evaluate(twice, W, [0, 1])
    with pytest.raises(TypeError, match="CSR, as .tocsr"):
        evaluate(sparse.coo_array(np.eye(3)), W, [0, 1, 2])


def test_the_version_is_that_of_the_package():
    assert softmax_fused.__version__ == importlib.metadata.version("softmax_fused")


X, W, Y_HARD = problem()
MISTAKES = {
    "W of another type": (lambda: evaluate(X, W.astype(np.float32), Y_HARD), TypeError, "W: expected numbers of X's type"),
    "integers as X": (lambda: evaluate(X.astype(int), W, Y_HARD), TypeError, "X: expected numbers of float32"),
    "a vector as X": (lambda: evaluate(X[0], W, Y_HARD), ValueError, "X: expected 2 axes, found 1"),
    "text as X": (lambda: evaluate("text", W, Y_HARD), TypeError, "X: expected numbers"),
    "no X": (lambda: evaluate(None, W, Y_HARD), TypeError, "X: expected numbers"),
    "ragged rows": (lambda: evaluate([[1, 2], [3]], W, Y_HARD), TypeError, "X: expected an array of numbers"),
    "complex numbers": (lambda: evaluate(X, W, Y_HARD, b=np.zeros(5, complex)), TypeError, "b: expected real numbers"),
    "other features": (lambda: evaluate(X, W[1:], Y_HARD), ValueError, "W (features, classes): expected 11 features, found 10"),
    "a label that is no class": (lambda: evaluate(X, W, Y_HARD + 1), ValueError, "y: expected classes from 0 to 4, found 5"),
    "labels that are no integers": (lambda: evaluate(X, W, Y_HARD * 1.0), TypeError, "y: expected integers in 1 axis; soft targets are the argument Y, found float64"),
    "other samples": (lambda: evaluate(X, W, Y_HARD[1:]), ValueError, "y: expected "),
    "another bias": (lambda: evaluate(X, W, Y_HARD, b=np.zeros(6)), ValueError, "b: expected 5 classes, found 6"),
    "an index beyond 64 bits": (
        lambda: evaluate(X, W, Y_HARD, ignore_index=2**64 - 1),
        ValueError,
        "ignore_index: expected an integer of 64 bits, found 18446744073709551615",
    ),
    "a negative label": (lambda: evaluate(X, W, Y_HARD - 1), ValueError, "; ignore_index=-1 leaves such samples out"),
    "a matrix of labels": (lambda: evaluate(X, W, Y_HARD[:, None]), ValueError, "soft targets are the argument Y, found 2 axes"),
    "labels and soft targets": (lambda: evaluate(X, W, Y_HARD, Y=X @ W), TypeError, "found both"),
    "soft targets below 0": (lambda: evaluate(X, W, Y=X @ W), ValueError, "soft targets: expected a finite number"),
    "a softcap below 0": (lambda: evaluate(X, W, Y_HARD, softcap=-1), ValueError, "softcap: expected"),
    "a softcap of text": (lambda: evaluate(X, W, Y_HARD, softcap="1"), TypeError, "softcap: expected a number or None"),
    "no reduction": (lambda: evaluate(X, W, Y_HARD, reduction="none"), ValueError, "reduction: expected one of mean, sum"),
    "an unknown backend": (lambda: evaluate(X, W, Y_HARD, backend="mkl"), ValueError, "backend: expected one of"),
    "no threads": (lambda: evaluate(X, W, Y_HARD, threads=0), ValueError, "threads: expected a number from 1"),
    "threads beyond counting": (lambda: evaluate(X, W, Y_HARD, threads=2**70), ValueError, "threads: expected a number from 1"),
    "labels beyond counting": (
        lambda: evaluate(X, W, np.full(37, 2**64 - 100, ">u8"), ignore_index=-100),
        ValueError,
        "y: expected classes from 0 to 4 or the ignored -100, found 18446744073709551516",
    ),
    "a mask": (lambda: evaluate(np.ma.masked_array(X), W, Y_HARD), TypeError, "X: expected an array without a mask"),
    "less than none": (lambda: evaluate(X, W, Y_HARD, threads=-1), ValueError, "threads: expected a number from 1"),
    "an unknown level": (lambda: evaluate(X, W, Y_HARD, simd="sse"), ValueError, "simd: expected a level"),
    "a level of naive": (lambda: evaluate(X, W, Y_HARD, simd="portable", backend="naive"), ValueError, "simd: expected"),
    "memory below 0": (lambda: evaluate(X, W, Y_HARD, memory=-1), ValueError, "memory: expected a number of bytes"),
    "memory of naive": (lambda: evaluate(X, W, Y_HARD, memory=1, backend="naive"), ValueError, "memory: expected"),
    "an unknown output": (lambda: evaluate(X, W, Y_HARD, outputs=["dV"]), ValueError, "outputs: expected one of dW"),
    "more than all classes": (lambda: evaluate(X, W, Y_HARD, top=9), ValueError, "top classes: expected at most 5"),
    "no number of classes": (lambda: evaluate(X, W, Y_HARD, outputs=["top_classes"]), ValueError, "top: expected"),
    "fewer than none": (lambda: evaluate(X, W, Y_HARD, top=-1), ValueError, "top: expected"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_the_argument(mistake):
    call, kind, message = MISTAKES[mistake]
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_packed_record_is_refused_where_a_copy_would_be_needed():
    packed = np.zeros(4, [("flag", "u1"), ("x", "f8", 3)])
    with pytest.raises(ValueError, match="ascontiguousarray"):
        evaluate(packed["x"], np.zeros((3, 2)), [0, 1, 0, 1])


def test_bits_do_not_depend_on_threads_levels_and_passes():
    X, W, y = problem(300, 70, 130, np.float32)
    expected = evaluate(X, W, y, outputs=OUTPUTS, threads=1)
    for options in (dict(threads=2), dict(threads=3), dict(simd="portable"), dict(memory=0), dict()):
        found = evaluate(X, W, y, outputs=OUTPUTS, **options)
        assert all((getattr(found, name) == getattr(expected, name)).all() for name in OUTPUTS)


def test_other_threads_of_python_run_meanwhile():
    X, W, y = problem(4000, 400, 400)
    evaluate(X, W, y)
    ticks, is_done = 0, threading.Event()

    def compute():
        for _ in range(5):
            evaluate(X, W, y, outputs=("dW", "dX"), threads=1)
        is_done.set()

    started = time.perf_counter()
    thread = threading.Thread(target=compute)
    thread.start()
    while not is_done.is_set():
        time.sleep(0.001)
        ticks += 1
    thread.join()
    # Each tick takes a millisecond. If calls held the GIL, there would be about one tick per call.
    assert ticks > 20 * (time.perf_counter() - started)


def test_several_threads_of_python_compute_at_once():
    X, W, y = problem(200, 30, 90)
    expected = evaluate(X, W, y).dW
    found = [None] * 8

    def compute(k):
        for _ in range(20):
            found[k] = evaluate(X, W, y, threads=1 + k % 3).dW

    threads = [threading.Thread(target=compute, args=(k,)) for k in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert all((dw == expected).all() for dw in found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_computes_too():
    X, W, y = problem(200, 30, 90)
    expected = evaluate(X, W, y).dW
    evaluate(X, W, y, threads=2)
    for _ in range(5):
        child = os.fork()
        if child == 0:
            agrees = (evaluate(X, W, y).dW == expected).all() and (evaluate(X, W, y, threads=2).dW == expected).all()
            os._exit(0 if agrees else 1)
        for _ in range(600):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                break
            time.sleep(0.1)
        else:
            os.kill(child, 9)
            os.waitpid(child, 0)
            pytest.fail("the forked process did not end within a minute")
        assert os.waitstatus_to_exitcode(status) == 0
    assert (evaluate(X, W, y).dW == expected).all()


PEAK = """
import sys
import numpy as np
from softmax_fused import evaluate

def memory(key):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key)) << 10

n, d, c = 20000, 2048, 4096
dtype = np.dtype(sys.argv[1])
X = np.zeros((n, d), dtype)
W = np.zeros((d, c), np.float32).astype(dtype)
X[:, 0] = W[0] = 1
y = np.zeros(n, np.int64)
evaluate(X[:1000], W, y[:1000], outputs=())
with open("/proc/self/clear_refs", "w") as clear:
    clear.write("5")
before = memory("VmRSS:")
evaluate(X, W, y, outputs=())
print(memory("VmHWM:") - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="memory is measured with Linux's /proc")
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_call_takes_less_memory_than_a_copy(dtype):
    command = [sys.executable, "-c", textwrap.dedent(PEAK), dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    # A copy of X would take 80 MB in float16 or 160 MB in float32, and the scores 330 MB. The backend's working memory
    # is about 64 MiB.
    assert int(done.stdout) < 70 << 20
