"""Evaluates loss and gradients with one library, once for each line of standard input, and prints the seconds.

Usage: python worker.py LIBRARY problem.npz answer.npz THREADS [--dx]

`softmax bench --peers` drives it. It evaluates twice, writes loss, dW and dX to answer.npz, prints a line of JSON with
the library's version and what memory it took, and then answers each line. LIBRARY is one of numpy, scikit-learn,
torch-eager, torch-compile, torch-linear-cross-entropy, jax. Where the library can't do what is asked, the line of JSON
has its name and the reason instead, and is the last.
"""
import ctypes
import json
import os
import sys
import time

library, problem, answer, threads = sys.argv[1:5]
wants_dx = "--dx" in sys.argv
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = threads
if library == "jax":
    # Its CPU client takes the number of threads from the processors it may run on.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])

import numpy as np  # noqa: E402  (after the variables that it reads)

arrays = np.load(problem)
X, W, y = arrays["X"], arrays["W"], arrays["y"]
n = len(y)


def refuse(reason):
    print(json.dumps({"name": library, "reason": reason}), flush=True)
    sys.exit()


def with_numpy():
    rows = np.arange(n)

    def run():
        S = X @ W
        S -= S.max(1, keepdims=True)
        s = S[rows, y]
        np.exp(S, out=S)
        Z = S.sum(1, keepdims=True)
        loss = (np.log(Z[:, 0]) - s).mean(dtype=np.float64)
        S /= Z
        S[rows, y] -= 1
        S /= n
        return loss, X.T @ S, S @ W.T if wants_dx else None

    return run, np.__version__


def with_sklearn():
    import sklearn
    from sklearn._loss.loss import HalfMultinomialLoss
    from sklearn.linear_model._linear_loss import LinearModelLoss

    if wants_dx:
        refuse("it computes no gradient of the features")
    objective = LinearModelLoss(base_loss=HalfMultinomialLoss(n_classes=W.shape[1]), fit_intercept=False)
    coefficients, targets = np.asfortranarray(W.T), y.astype(X.dtype)

    def run():
        loss, gradient = objective.loss_gradient(coefficients, X, targets, n_threads=int(threads))
        return loss, gradient.T, None

    return run, sklearn.__version__


def with_torch(how):
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(int(threads))
    x = torch.from_numpy(X).requires_grad_(wants_dx)
    w = torch.from_numpy(np.ascontiguousarray(W.T)).requires_grad_(True)
    targets = torch.from_numpy(y)

    def eager(x, w):
        return F.cross_entropy(F.linear(x, w), targets)

    def chunked(x, w):
        from torch.nn.modules.linear_cross_entropy_options import LinearCrossEntropyOptions

        return F.linear_cross_entropy(x, w, targets, options=LinearCrossEntropyOptions())

    loss_of = {"eager": eager, "compile": torch.compile(eager), "linear-cross-entropy": chunked}[how]

    def run():
        w.grad = x.grad = None
        loss = loss_of(x, w)
        loss.backward()
        return loss.item(), w.grad.numpy().T, x.grad.numpy() if wants_dx else None

    return run, torch.__version__


def with_jax():
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", X.dtype == np.float64)

    def loss_of(w, x, y):
        s = x @ w
        return jnp.mean(jax.nn.logsumexp(s, axis=1) - jnp.take_along_axis(s, y[:, None], 1)[:, 0])

    both = jax.jit(jax.value_and_grad(loss_of, argnums=(0, 1) if wants_dx else (0,)))
    x, w, targets = jnp.asarray(X), jnp.asarray(W), jnp.asarray(y)

    def run():
        loss, gradients = both(w, x, targets)
        gradients = [gradient.block_until_ready() for gradient in gradients]
        return float(loss), gradients[0], gradients[1] if wants_dx else None

    return run, jax.__version__


def memory(field):
    """Bytes of this process in memory: now (VmRSS), or at most so far (VmHWM)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))


def evaluate_and_watch():
    """An answer, and the bytes that it took beyond inputs and outputs, as the system sees them, where it is Linux."""
    try:
        # What the allocator keeps for the next call counts for the next call.
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")
        before = memory("VmRSS")
    except (OSError, AttributeError):
        return run(), None
    answer = run()
    outputs = sum(part.nbytes for part in answer[1:] if part is not None)
    return answer, max(memory("VmHWM") - before - outputs, 0)


def make():
    if library.startswith("torch-"):
        return with_torch(library.removeprefix("torch-"))
    return {"numpy": with_numpy, "scikit-learn": with_sklearn, "jax": with_jax}[library]()


run, version = make()
first = run()  # Kept, so that what the second holds of the first's memory is no gain.
(loss, dw, dx), extra_bytes = evaluate_and_watch()
outputs = {"loss": np.float64(loss), "dW": np.ascontiguousarray(dw)}
if dx is not None:
    outputs["dX"] = np.asarray(dx)
np.savez(answer, **outputs)
del outputs, first, dw, dx
print(json.dumps({"version": version, "extra_bytes": extra_bytes}), flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    run()
    print(time.perf_counter() - start, flush=True)
