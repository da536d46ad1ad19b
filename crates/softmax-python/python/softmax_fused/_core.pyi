"""The native part. Nothing of it is public but what `softmax_fused` exports."""

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

def backends() -> list[str]:
    """The backends that `evaluate` takes by name."""

def release_memory() -> None:
    """Frees the working memory that is kept between calls: up to 64 MiB, or as much as the largest W."""

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
