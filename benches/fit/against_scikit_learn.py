"""Trains the same classifiers with `softmax fit` and with scikit-learn's LogisticRegression, to the same objective.

    python benches/fit/against_scikit_learn.py target/release/softmax [--only "digits 1e-3,tall"] [--repeat 3]

Requires NumPy, SciPy, scikit-learn and safetensors. On each problem, scikit-learn's solvers run at tol = 1e-4.
`softmax fit` starts at tolerance 100 and multiplies it by 0.3 until its objective is at most 1 + 1e-6 times that of
scikit-learn's solver. This search computes objectives by NumPy in f64. The table shows the objectives computed by the
oracle of `softmax compare`, or by NumPy for sparse features, which the oracle would densify. It marks an objective of
`softmax fit` that is above the limit.

Times are those of the fit alone, without reading the data, and the best of --repeat alternating runs; runs of
scikit-learn that take 20 seconds or more are not repeated. If softmax_fused is installed, its SoftmaxRegression is
timed too, at the same tolerance.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
from safetensors.numpy import load_file
from scipy.ndimage import zoom
from scipy.special import logsumexp
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

try:
    from softmax_fused import SoftmaxRegression
except ImportError:
    SoftmaxRegression = None

SEED = 0


def digits():
    data = load_digits()
    return data.data / 16.0, data.target


def images():
    """60,000 images of 28×28 pixels: the digits, enlarged, shifted, dimmed, with noise."""
    rng = np.random.default_rng(SEED)
    data = load_digits()
    large = np.stack([zoom(image, 20 / 8, order=1) for image in data.images])
    large = np.clip(large / 16 * 255, 0, 255)
    chosen = rng.integers(0, len(large), 60000)
    features = np.zeros((60000, 28, 28), np.uint8)
    for place, which in zip(features, chosen):
        down, right = rng.integers(2, 7, 2)
        image = large[which] * rng.uniform(0.6, 1.0) + rng.normal(0, 20, (20, 20)) * (large[which] > 20)
        place[down : down + 20, right : right + 20] = np.clip(image, 0, 255)
    return features.reshape(60000, 784).astype(np.float32), data.target[chosen]


def network():
    """20,000 samples of 2048 features like a network's: correlated, decaying spectrum, non-negative. 1000 classes."""
    rng = np.random.default_rng(SEED)
    n, d, c = 20000, 2048, 1000
    spectrum = 20 * np.arange(1, d + 1) ** -0.7
    inner = (rng.normal(size=(n, d)) * spectrum).astype(np.float32)
    features = np.maximum(inner @ (rng.normal(size=(d, d)) / np.sqrt(d)).astype(np.float32), 0)
    scores = 0.1 * inner @ rng.normal(size=(d, c)).astype(np.float32)
    labels = np.argmax(scores + rng.gumbel(size=(n, c)), axis=1)
    labels[:c] = np.arange(c)
    return features, labels


def words():
    """50,000 texts of 60 words out of 30,000, as word counts scaled to norm 1. Each of 20 topics has its own words."""
    rng = np.random.default_rng(SEED)
    n, d, c, length = 50000, 30000, 20, 60
    common = np.arange(1, d + 1) ** -0.9
    drawn = rng.choice(d, size=(n, length), p=common / common.sum())
    labels = rng.integers(0, c, n)
    topics = np.stack([rng.permutation(d)[:300] for _ in range(c)])
    drawn[:, :15] = topics[labels][np.arange(n)[:, None], rng.integers(0, 300, (n, 15))]
    rows = np.repeat(np.arange(n), length)
    counts = sparse.coo_matrix((np.ones(n * length), (rows, drawn.ravel())), (n, d)).tocsr()
    norms = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    return (sparse.diags(1 / norms) @ counts).tocsr(), labels


def tall():
    rng = np.random.default_rng(SEED)
    features = rng.normal(size=(200000, 10))
    scores = features @ rng.normal(size=(10, 3))
    return features, np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)


# For each problem: the data, the penalty λ, scikit-learn's solvers, and the speedup to reach.
PROBLEMS = {
    "digits 1e-3": (digits, 1e-3, ["lbfgs", "newton-cg", "newton-cholesky"], 5),
    "digits 1e-6": (digits, 1e-6, ["lbfgs", "newton-cg", "newton-cholesky"], 5),
    "images": (images, 1e-4, ["lbfgs"], 3),
    "network": (network, 1e-4, ["lbfgs"], 3),
    "words": (words, 1e-5, ["lbfgs", "newton-cg"], 3),
    "tall": (tall, 1e-4, ["lbfgs", "newton-cg", "newton-cholesky"], 2),
}


class Problem:
    def __init__(self, name, folder):
        make, self.l2, self.solvers, self.bar = PROBLEMS[name]
        self.features, self.labels = make()
        self.dtype = "f32" if self.features.dtype == np.float32 else "f64"
        self.folder = folder
        self.arguments = ["--data", folder / "x.npz", "--dtype", self.dtype, "--l2", str(self.l2)]
        if sparse.issparse(self.features):
            sparse.save_npz(folder / "x.npz", self.features, compressed=False)
            np.save(folder / "y.npy", self.labels.astype(np.int64))
            self.arguments += ["--labels", folder / "y.npy"]
        else:
            np.savez(folder / "x.npz", X=self.features, y=self.labels.astype(np.int64))

    def objective(self, program, weights):
        """The objective at the W and b in a file, by the oracle, or by NumPy for sparse features."""
        if sparse.issparse(self.features):
            return self.objective_by_numpy(weights)
        arguments = [a if a != self.dtype else "f64" for a in self.arguments]
        command = [program, "compare", *arguments, "--weights", weights, "--backends", "fused"]
        command += ["--repeat", "1", "--format", "json"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        return json.loads(done.stdout)["reference"]["loss"]

    def objective_by_numpy(self, weights):
        if weights.suffix == ".npz":
            arrays = np.load(weights)
        else:
            arrays = load_file(weights)
        weights, bias = arrays["W"].astype(np.float64), arrays["b"].astype(np.float64)
        scores = self.features.astype(np.float64) @ weights + bias
        losses = logsumexp(scores, axis=1) - scores[np.arange(len(scores)), self.labels]
        return losses.mean() + self.l2 / 2 * np.square(weights).sum()

    def ours(self, program, tolerance, threads):
        model = self.folder / "model.safetensors"
        command = [program, "fit", *self.arguments, "--tolerance", tolerance, "--format", "json", "--out", model]
        command += ["--threads", threads]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        return json.loads(done.stdout), model

    def theirs(self, solver):
        model = LogisticRegression(C=1 / (self.l2 * len(self.labels)), solver=solver, tol=1e-4, max_iter=1000)
        seconds = self.seconds_of(model)
        path = self.folder / "theirs.npz"
        np.savez(path, W=model.coef_.T.astype(np.float64), b=model.intercept_.astype(np.float64))
        return seconds, int(model.n_iter_[0]), path

    def in_python(self, tolerance, threads):
        return self.seconds_of(SoftmaxRegression(l2=self.l2, tol=tolerance, threads=int(threads)))

    def seconds_of(self, model):
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(self.features, self.labels)
        return time.perf_counter() - started


def run(name, program, folder, repeat, threads):
    problem = Problem(name, folder)
    theirs = []
    for solver in problem.solvers:
        seconds, iterations, weights = problem.theirs(solver)
        enough = problem.objective_by_numpy(weights) * (1 + 1e-6)
        theirs.append((seconds, enough, problem.objective(program, weights), solver, iterations))
        print(f"    scikit-learn {solver}: {seconds:.3f} s, {iterations} iterations, {theirs[-1][2]:.9g}", file=sys.stderr)
    for seconds, enough, objective, solver, iterations in theirs:
        tolerance = 100.0
        for _ in range(16):
            found, model = problem.ours(program, tolerance, threads)
            if problem.objective_by_numpy(model) <= enough:
                break
            tolerance = float(f"{0.3 * tolerance:.0e}")
        its = problem.objective(program, model)
        ours = [found["seconds"]]
        best = seconds
        for _ in range(repeat - 1):
            ours.append(problem.ours(program, tolerance, threads)[0]["seconds"])
            if seconds < 20:
                best = min(best, problem.theirs(solver)[0])
        in_python = "–"
        if SoftmaxRegression is not None:
            in_python = f"{min(problem.in_python(tolerance, threads) for _ in range(repeat)):.4f} s"
        mark = "" if its <= objective * (1 + 1e-6) else " (objective not reached)"
        print(
            f"| {name} | {solver} | {best:.3f} s | {iterations} | {objective:.9g} | {found['solver']} {tolerance:.0e} | "
            f"{min(ours):.4f} s | {found['iterations']} | {its:.9g}{mark} | {in_python} | {best / min(ours):.1f}× | {problem.bar}× |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--only", default=",".join(PROBLEMS))
    parser.add_argument("--folder", type=Path, default=Path("target/fit"))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", default=str(os.cpu_count()))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    ours = "softmax fit | time | iterations | objective | SoftmaxRegression"
    print(f"| data | scikit-learn | time | iterations | objective | {ours} | faster | bar |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in arguments.only.split(","):
        run(name, Path(arguments.program).resolve(), arguments.folder, arguments.repeat, arguments.threads)


if __name__ == "__main__":
    main()
