"""The native module. Only what `softmax_fused` exports from it is public."""

from typing import Any

from numpy.typing import NDArray

class BFloat16:
    def __new__(cls, bits: NDArray[Any]) -> BFloat16: ...

class Problem:
    def __new__(
        cls,
        X: Any,
        W: Any,
        y: Any | None,
        Y: Any | None,
        b: Any | None,
        class_weight: Any | None,
        sample_weight: Any | None,
        options: dict[str, Any],
        *,
        of_torch: bool = False,
    ) -> Problem: ...
    @property
    def dtype(self) -> str: ...
    def addresses(self) -> tuple[int, int]: ...

class Statistics: ...

__version__: str

def backends() -> list[str]:
    """The names of the backends that `evaluate` accepts."""

def release_memory() -> None:
    """Free the working memory kept between calls: about 64 MiB by default, or the size of the largest W if more."""

def evaluate(
    problem: Problem,
    outputs: list[str],
    top: int | None,
    backend: str,
    threads: int | None,
    simd: str | None,
    memory: int | None,
) -> dict[str, Any]: ...
def forward(
    problem: Problem, outputs: list[str], threads: int | None, memory: int | None
) -> tuple[Statistics, dict[str, Any]]: ...
def backward(
    problem: Problem,
    statistics: Statistics,
    losses: NDArray[Any],
    outputs: list[str],
    threads: int | None,
    memory: int | None,
) -> dict[str, NDArray[Any]]: ...
def minimize(
    problem: Problem, solver: str, tol: float, max_iter: int, fit_intercept: bool, threads: int | None
) -> dict[str, Any]: ...
