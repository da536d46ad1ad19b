"""The loss of a linear softmax classifier and its gradients on CPUs, without the N×C scores in memory.

    loss = (1/Ω)·Σ_i ℓ_i + (λ/2)·‖W‖²,    ℓ_i = −log softmax(X_i·W + b)[y_i]    with default options

`evaluate` computes the loss of NumPy arrays and SciPy CSR matrices, with every option and output. `SoftmaxRegression`
is a scikit-learn classifier that minimises it. `softmax_fused.torch` provides the loss as a PyTorch function and
module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from softmax_fused._core import __version__, backends, release_memory
from softmax_fused._evaluate import Evaluation, evaluate

if TYPE_CHECKING:
    from softmax_fused._regression import SoftmaxRegression

__all__ = ["Evaluation", "SoftmaxRegression", "__version__", "backends", "evaluate", "release_memory"]


def __getattr__(name: str) -> Any:
    # Imported on first use: only this class needs scikit-learn, which takes a second to import.
    if name == "SoftmaxRegression":
        from softmax_fused._regression import SoftmaxRegression

        return SoftmaxRegression
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
