"""Trains a linear probe, a classifier on a network's features in half precision, and compares it with scikit-learn's.

    python linear_probe.py [--samples N] [--features D] [--classes C]

The features are those of a random network whose inputs belong to classes. Load your own network's with `numpy.load`.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from softmax_fused import SoftmaxRegression


def features_of_a_network(samples: int, features: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, samples)
    inputs = rng.standard_normal((classes, 32))[labels] + 0.8 * rng.standard_normal((samples, 32))
    hidden = np.maximum(inputs @ rng.standard_normal((32, features)), 0)
    return hidden.astype(np.float16), labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20000)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--classes", type=int, default=50)
    args = parser.parse_args()
    X, y = features_of_a_network(args.samples, args.features, args.classes)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)

    l2 = 1e-3
    for name, model, prepare in [
        ("SoftmaxRegression, float16", SoftmaxRegression(l2=l2), lambda X: X),
        ("LogisticRegression, float32", LogisticRegression(C=1 / (l2 * len(X_train)), max_iter=1000), np.float32),
    ]:
        train = prepare(X_train)
        started = time.perf_counter()
        model.fit(train, y_train)
        seconds = time.perf_counter() - started
        print(f"{name:28} {seconds:7.2f} s  accuracy {model.score(prepare(X_test), y_test):.4f}")


if __name__ == "__main__":
    main()
