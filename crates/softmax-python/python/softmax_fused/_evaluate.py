"""The loss of NumPy arrays and SciPy CSR matrices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softmax_fused import _core


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The loss and the requested outputs; the other outputs are None.

    Shapes are in terms of N samples, D features, C classes and the K best classes.
    """

    loss: float
    """The loss. NaN if every sample is ignored and the reduction is the mean."""
    total_weight: float
    """Ω, the divisor of the sum of the sample losses; 1 if the reduction is the sum, and 0 without targets."""
    correct: int | None
    """The number of counted samples whose predicted class is their label; None without labels."""
    dW: NDArray[Any] | None = None
    """∂loss/∂W (D×C), in W's memory order."""
    db: NDArray[Any] | None = None
    """∂loss/∂b (C). Without b it is the gradient at b = 0."""
    dX: NDArray[Any] | None = None
    """∂loss/∂X (N×D)."""
    sample_loss: NDArray[Any] | None = None
    """ℓ (N), the sample losses, not divided by Ω; 0 for ignored samples."""
    lse: NDArray[Any] | None = None
    """Log-sum-exp of the scores, log Σ_c exp(s_ic) (N)."""
    predicted: NDArray[np.int64] | None = None
    """The class with the largest score (N), the lowest index on ties."""
    entropy: NDArray[Any] | None = None
    """Entropy of the predicted distribution, −Σ_c p_ic·log p_ic (N), in nats."""
    label_log_prob: NDArray[Any] | None = None
    """log p of the label (N), also for ignored samples; NaN if the label is not a class, and without labels."""
    label_rank: NDArray[np.int64] | None = None
    """The number of classes with a larger score than the label's (N), 0 for the best; C if the label is not a class."""
    top_classes: NDArray[np.int64] | None = None
    """The K classes with the largest scores (N×K), best first; the lower index first on ties."""
    top_log_prob: NDArray[Any] | None = None
    """log p of `top_classes` (N×K)."""


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
    """Compute the loss of a linear softmax classifier, and the requested gradients and row facts.

    X and W are read in place, with any strides, and never copied. The GIL is released during the computation.

    Parameters
    ----------
    X : array of shape (N, D), or SciPy CSR matrix
        The features, in float32, float64, float16 or ml_dtypes.bfloat16. A CSR matrix must be float32 or float64, with
        column indices that increase within each row (`sum_duplicates` sorts and merges them).
    W : array of shape (D, C)
        The weights, in float32, float64, float16 or bfloat16. If one of X and W is in half precision, all results have
        the type of the other. If both are, results are float32.
    y : integer array of shape (N,), optional
        The labels: classes from 0 to C − 1, or `ignore_index`. Without y and Y the loss is 0, for prediction.
    Y : array of shape (N, C), optional
        Soft targets in place of y: finite numbers, at least 0.
    b : array of shape (C,), optional
        The bias. A bias of −inf masks its class, unless there is a softcap, which makes the score −softcap.
    class_weight : array of shape (C,), optional
        Finite weights of the classes, of either sign.
    sample_weight : array of shape (N,), optional
        Finite weights of the samples, of either sign. With the mean, the sum of the sample losses is divided by Ω: the
        sum of the sample weights, each times the class weight of its label if the targets are labels.
    label_smoothing : float from 0 to 1, default 0
        The share of the target mass that is spread evenly over the classes.
    ignore_index : int, optional
        The label of ignored samples. They add nothing to the loss and the gradients, whatever their features contain.
    reduction : {"mean", "sum"}, default "mean"
    l2 : float, at least 0, default 0
        Adds (l2/2)·‖W‖² to the loss; b is not penalised.
    z_loss : float, at least 0, default 0
        Adds z_loss·lse² to each sample's loss.
    softcap : float above 0, optional
        Scores become softcap·tanh(raw/softcap).
    temperature : float above 0, default 1
        Scores are divided by it.
    outputs : iterable of str, default ("dW", "db")
        The names of `Evaluation`'s arrays to compute. The backend "fused" refuses "dX" for a sparse X.
    top : int from 0 to C, optional
        K, the number of best classes. Adds `top_classes` and `top_log_prob` to the outputs.
    backend : str, default "fused"
        One of `backends()`.
    threads : int from 1 to 1024, optional
        Default: the environment variable RAYON_NUM_THREADS, else the number of processors available to this process.
    simd : {"portable", "avx2", "avx512", "neon"}, optional
        Vector instructions, for the backend "fused" only. Default: the widest that the machine supports. Every choice
        gives the same bits on a machine with fused multiply-add.
    memory : int, optional
        Approximate limit of the working memory in bytes, beyond inputs and outputs, for the backend "fused" only.
        Default: 64 MiB, or the size of W if that is more. A lower limit costs time and does not change the results.

    Returns
    -------
    Evaluation
        The loss and the requested outputs.

    Raises
    ------
    TypeError
        If an argument has an unsupported type, such as integers for X, or float64 for W with float32 for X.
    ValueError
        If shapes do not match, a label is not a class, an option is out of its range, or the backend lacks a feature.

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
