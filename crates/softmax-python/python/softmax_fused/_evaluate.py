"""The loss over NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_fused import _core


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The loss and the outputs that were asked for; the others are None. N samples, D features, C classes, the K best classes."""

    loss: float
    """The loss. NaN where no sample counts and the reduction is the mean."""
    total_weight: float
    """Ω: what the sum of the sample losses was divided by; 1 for the sum."""
    correct: int | None
    """How many samples have their label as the predicted class; None without labels."""
    dW: NDArray[Any] | None = None
    """∂loss/∂W (D×C), in W's memory order."""
    db: NDArray[Any] | None = None
    """∂loss/∂b (C), also where there is no b, which then stands at zero."""
    dX: NDArray[Any] | None = None
    """∂loss/∂X (N×D)."""
    sample_loss: NDArray[Any] | None = None
    """ℓ (N), not divided by Ω; 0 where a sample is ignored."""
    lse: NDArray[Any] | None = None
    """log Σ_c exp(s_ic) (N)."""
    predicted: NDArray[np.int64] | None = None
    """The class with the largest score (N), the first of equals."""
    entropy: NDArray[Any] | None = None
    """−Σ_c p_ic·log p_ic (N), in nats."""
    label_log_prob: NDArray[Any] | None = None
    """log p of the label (N); NaN where the label is no class."""
    label_rank: NDArray[np.int64] | None = None
    """How many classes have a larger score than the label (N)."""
    top_classes: NDArray[np.int64] | None = None
    """The K classes with the largest scores (N×K), the largest first."""
    top_log_prob: NDArray[Any] | None = None
    """log p of these (N×K)."""


def evaluate(
    X: Any,
    W: ArrayLike,
    y: ArrayLike | None = None,
    *,
    Y: ArrayLike | None = None,
    b: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    reduction: Literal["mean", "sum"] = "mean",
    l2: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    temperature: float = 1.0,
    outputs: Iterable[str] = ("dW", "db"),
    top: int | None = None,
    backend: str = "fused",
    threads: int | None = None,
    simd: str | None = None,
    memory: int | None = None,
) -> Evaluation:
    """The loss of a linear softmax classifier, and its gradients and facts of its rows as far as they are asked for.

    X and W are read where they lie, in any strides; neither is copied. The GIL is released while computing.

    Parameters
    ----------
    X : (N, D) features
        float32, float64, float16 or ml_dtypes.bfloat16, or a SciPy CSR matrix of float32 or float64 whose columns rise within
        each row (`sum_duplicates` sees to it).
    W : (D, C) weights
        float32, float64, float16 or bfloat16. The type of X and W that is not of half precision is the type of all results;
        it is float32 if both are of half precision.
    y : (N,) labels, of any integer type
        Classes from 0 on, or `ignore_index`. Without y and Y there is no loss: scores alone, for prediction.
    Y : (N, C) soft targets, finite and not negative, in place of y
    b : (C,) bias; −inf masks a class
    class_weight : (C,), sample_weight : (N,)
        Finite numbers of either sign. Under the mean, Ω is the sum of a sample's weight times its label's.
    label_smoothing : from 0 to 1
    ignore_index : int
        The label of samples that count for nothing, whatever they hold.
    reduction : "mean" or "sum"
    l2 : at least 0
        Adds (l2/2)·‖W‖²; b is not penalised.
    z_loss : at least 0
        Adds z_loss·lse² to each sample's loss.
    softcap : above 0
        Scores become softcap·tanh(raw/softcap).
    temperature : above 0
        Scores are divided by it.
    outputs : names of `Evaluation`'s arrays
        Not dX of a sparse X, which would be dense.
    top : K, from 0 to C
        Asks for `top_classes` and `top_log_prob`.
    backend : one of `backends()`
    threads : from 1 to 1024
        By default as many as this process has processors, or RAYON_NUM_THREADS says.
    simd : "portable", "avx2", "avx512" or "neon", for the backend "fused"
        By default the widest that the machine has. All of them give the same bits on a machine with fused multiply-add.
    memory : bytes, for the backend "fused"
        What it may hold beyond inputs and outputs, about; by default 64 MiB, or the size of W if that is more. Less costs time and
        changes no bit.

    Raises
    ------
    TypeError
        For arguments of another type: integers as X, float64 as W beside float32 as X.
    ValueError
        For shapes that do not fit, labels that are no class, options out of their ranges, and what a backend does not support.

    Examples
    --------
    >>> import numpy as np, softmax_fused
    >>> X = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]])
    >>> result = softmax_fused.evaluate(X, np.zeros((2, 3)), [0, 2, 1])
    >>> round(result.loss, 6), result.dW.shape
    (1.098612, (2, 3))
    """
    problem = _core.Problem(
        X,
        W,
        y,
        Y,
        b,
        class_weight,
        sample_weight,
        {
            "label_smoothing": label_smoothing,
            "ignore_index": ignore_index,
            "reduction": reduction,
            "l2": l2,
            "z_loss": z_loss,
            "softcap": softcap,
            "temperature": temperature,
        },
    )
    names = [outputs] if isinstance(outputs, str) else list(outputs)
    return Evaluation(**_core.evaluate(problem, names, top, backend, threads, simd, memory))
