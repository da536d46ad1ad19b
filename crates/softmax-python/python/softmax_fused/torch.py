"""The loss of a linear layer's logits as a PyTorch function and module, on CPU tensors.

`linear_cross_entropy` has the arguments and the meaning of `torch.nn.functional.linear_cross_entropy`, without its
`options`, which are not needed, and with the additional options z_loss, softcap and temperature. It never stores the
N×C logits, and reads input and weight in place. bfloat16 and float16 inputs are computed in float32, and their losses
are float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from softmax_fused import _core

__all__ = ["LinearCrossEntropyLoss", "RowFacts", "linear_cross_entropy", "row_facts"]


_DTYPES = {
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64),
}


@torch.compiler.disable
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
    temperature: float = 1.0,
    return_z_loss: bool = False,
    memory: int | None = None,
) -> Any:
    """Compute cross_entropy(linear(input, linear_weight, linear_bias), target) without storing the logits.

    The forward call also computes the required gradients for input, linear_weight and linear_bias, and `backward`
    scales them. With the reduction "none", `backward` computes them in a second pass over the logits. `torch.compile`
    breaks its graph at this call. Second derivatives, gradients for target and weight, and the transforms of
    `torch.func` are not supported and raise an error.

    Parameters
    ----------
    input : tensor of shape (N, D) or (D)
        The features, in float32, float64, bfloat16 or float16.
    linear_weight : tensor of shape (C, D)
        The weights. If neither input nor linear_weight is in half precision, both must have the same type.
    target : tensor of shape (N) or (), or of shape (N, C) or (C)
        Class indices, or probabilities in the type of the loss.
    linear_bias : tensor of shape (C), optional
    weight : tensor of shape (C), optional
        The weights of the classes.
    reduction : {"mean", "sum", "none"}, default "mean"
    ignore_index : int or None, default -100
        The class index of samples that are ignored; None means -100, as in PyTorch. It has no effect on probabilities.
    label_smoothing : float from 0 to 1, default 0
        The share of the target mass that is spread evenly over the classes.
    z_loss : float, at least 0, default 0
        Adds z_loss·lse² to each sample's loss, where lse is the log-sum-exp of its logits.
    softcap : float above 0, optional
        Logits become softcap·tanh(logits/softcap).
    temperature : float above 0, default 1
        Logits are divided by it.
    return_z_loss : bool, default False
        Whether to return the part of the loss that z_loss adds as well, without a gradient.
    memory : int, optional
        Approximate limit of the working memory in bytes, beyond the tensors. Default: 64 MiB, or the size of
        linear_weight in float32 if that is more. A lower limit costs time.

    Returns
    -------
    Tensor
        The loss, in float32 if input and linear_weight are in half precision; of shape () for the mean and the sum.
        With `return_z_loss`, a pair of the loss and the part added by z_loss.

    Raises
    ------
    TypeError, ValueError
        If an argument is not supported. The message is one line with the argument's name and what was expected.
    """
    tensors = (input, linear_weight, target, linear_bias, weight)
    needed = ("input", "linear_weight", "target")
    _check_tensors(
        needed, input=input, linear_weight=linear_weight, target=target, linear_bias=linear_bias, weight=weight
    )
    if input.dim() not in (1, 2):
        raise ValueError(f"input: expected 1 or 2 axes, found {input.dim()}; flatten(0, -2) joins all but the last")
    if (target.requires_grad or (weight is not None and weight.requires_grad)) and torch.is_grad_enabled():
        raise ValueError("target, weight: expected tensors that require no gradient, found one that does")
    numbers = {"label_smoothing": label_smoothing, "z_loss": z_loss, "softcap": softcap, "temperature": temperature}
    for name, number in numbers.items():
        if isinstance(number, Tensor) and number.requires_grad and torch.is_grad_enabled():
            raise ValueError(f"{name}: expected a number, found a tensor that requires a gradient")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction: expected one of mean, sum, none, found {reduction}")
    is_single = input.dim() == 1
    if is_single and target.dim() != target.is_floating_point():
        raise ValueError(f"target: expected () class indices or (C) probabilities for one sample, found {target.dim()} axes")
    if is_single:
        tensors = (input.unsqueeze(0), linear_weight, target.unsqueeze(0), linear_bias, weight)
    options = {
        **numbers,
        "ignore_index": -100 if ignore_index is None else ignore_index,
        "reduction": "mean" if reduction == "none" else reduction,
    }
    function = _Unreduced if reduction == "none" else _Reduced
    # `needs_input_grad` does not depend on whether PyTorch records gradients, so pass this on.
    is_recorded = torch.is_grad_enabled()
    loss, of_z = function.apply(*tensors, options, return_z_loss, memory, is_recorded)
    if is_single and reduction == "none":
        loss, of_z = loss.squeeze(0), of_z.squeeze(0)
    return (loss, of_z) if return_z_loss else loss


class LinearCrossEntropyLoss(torch.nn.Module):
    """A linear layer and the loss of its logits: `linear_cross_entropy` as a module.

    Its parameters have the names of those of `torch.nn.LinearCrossEntropyLoss`. `forward` takes input (N, D) or (D),
    and target (N) or () of class indices, or (N, C) or (C) of probabilities.

    Parameters
    ----------
    in_features, num_classes : int
        D and C.
    bias : bool, default False
        Whether the layer has a bias.
    device, dtype : optional
        Device and type of the parameters.
    weight : tensor of shape (C), optional
        The weights of the classes.
    reduction, ignore_index, label_smoothing, z_loss, softcap, temperature, memory
        As in `linear_cross_entropy`.
    """

    weight: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        bias: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        weight: Tensor | None = None,
        reduction: str = "mean",
        ignore_index: int | None = -100,
        label_smoothing: float = 0.0,
        z_loss: float = 0.0,
        softcap: float | None = None,
        temperature: float = 1.0,
        memory: int | None = None,
    ) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(in_features, num_classes, bias=bias, device=device, dtype=dtype)
        self.register_buffer("weight", weight)
        self.reduction = reduction
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.z_loss = z_loss
        self.softcap = softcap
        self.temperature = temperature
        self.memory = memory

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return linear_cross_entropy(
            input,
            self.linear.weight,
            target,
            linear_bias=self.linear.bias,
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            z_loss=self.z_loss,
            softcap=self.softcap,
            temperature=self.temperature,
            memory=self.memory,
        )

    def extra_repr(self) -> str:
        options = ("reduction", "ignore_index", "label_smoothing", "z_loss", "softcap", "temperature")
        return ", ".join(f"{option}={getattr(self, option)!r}" for option in options)


class RowFacts(NamedTuple):
    """Facts of each row, without gradients: tensors of shape (N), or (N, top) for the best classes."""

    log_sum_exp: Tensor
    """log Σ_c exp(logits)."""
    predicted: Tensor
    """The class with the largest logit, the lowest index on ties."""
    entropy: Tensor
    """Entropy of the predicted distribution, −Σ p·log p, in nats."""
    label_log_prob: Tensor | None
    """log p of the target; NaN if it is not a class. None without target."""
    label_rank: Tensor | None
    """The number of classes with a larger logit than the target's, 0 for the best. None without target."""
    top_classes: Tensor | None
    """The classes with the largest logits (N, top), best first. None without `top`."""
    top_log_prob: Tensor | None
    """log p of `top_classes` (N, top). None without `top`."""


@torch.compiler.disable
def row_facts(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor | None = None,
    *,
    linear_bias: Tensor | None = None,
    ignore_index: int | None = -100,
    softcap: float | None = None,
    temperature: float = 1.0,
    top: int | None = None,
) -> RowFacts:
    """Compute facts of the rows of linear(input, linear_weight, linear_bias), without storing the logits.

    Parameters
    ----------
    input : tensor of shape (N, D)
    linear_weight : tensor of shape (C, D)
    target : tensor of shape (N), optional
        Class indices, for `label_log_prob` and `label_rank`.
    linear_bias : tensor of shape (C), optional
    ignore_index : int or None, default -100
        A value of target that is accepted without being a class; None for no such value.
    softcap, temperature
        As in `linear_cross_entropy`.
    top : int from 0 to C, optional
        The number of best classes, for `top_classes` and `top_log_prob`.

    Returns
    -------
    RowFacts
        Tensors without gradients.
    """
    needed = ("input", "linear_weight")
    _check_tensors(needed, input=input, linear_weight=linear_weight, target=target, linear_bias=linear_bias)
    options = {"ignore_index": ignore_index, "softcap": softcap, "temperature": temperature}
    problem = _problem(options, input, linear_weight, target, linear_bias, None)
    outputs = ["lse", "predicted", "entropy"]
    if target is not None:
        outputs += ["label_log_prob", "label_rank"]
    facts = _evaluate(problem, outputs, None, top)
    tensors = {name: torch.from_numpy(facts[name]) for name in (*outputs, "top_classes", "top_log_prob") if name in facts}
    return RowFacts(
        tensors["lse"],
        tensors["predicted"],
        tensors["entropy"],
        tensors.get("label_log_prob"),
        tensors.get("label_rank"),
        tensors.get("top_classes"),
        tensors.get("top_log_prob"),
    )


class _Reduced(torch.autograd.Function):
    """The loss with the mean or the sum: computes loss and gradients in one pass."""

    @staticmethod
    def forward(ctx: Any, input, linear_weight, target, linear_bias, weight, options, wants_z_loss, memory, is_recorded):  # noqa: ANN001
        tensors = (input, linear_weight, target, linear_bias, weight)
        ctx.options, ctx.memory = options, memory
        gradients = _required(ctx, linear_bias) if is_recorded else []
        outputs = gradients + (["lse"] if wants_z_loss else [])
        result = _evaluate(_problem(options, *tensors), outputs, memory)
        if gradients:
            ctx.save_for_backward(*tensors)
            ctx.gradients = {name: result[name] for name in gradients}
        dtype = _computed_in(input, linear_weight)
        of_z = _z_loss(result, target, options, dtype) if wants_z_loss else torch.zeros(0, dtype=dtype, device="cpu")
        if wants_z_loss and options["reduction"] == "mean":
            of_z = of_z.sum() / result["total_weight"]
        elif wants_z_loss:
            of_z = of_z.sum()
        ctx.mark_non_differentiable(of_z)
        return torch.tensor(result["loss"], dtype=dtype, device="cpu"), of_z

    @staticmethod
    def backward(ctx: Any, of_loss: Tensor, _of_z: Tensor) -> tuple[Tensor | None, ...]:
        _refuse_second_derivative()
        tensors = ctx.saved_tensors
        # Scales the kept gradients in place, without a copy. Another backward of the same graph computes them again.
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            problem = _problem(ctx.options, *tensors)
            names = _required(ctx, tensors[3])
            gradients = _evaluate(problem, names, ctx.memory)
        return _in_place(gradients, tensors, of_loss.item())


class _Unreduced(torch.autograd.Function):
    """The losses without a reduction: a first pass computes them, and a second pass, in `backward`, the gradients."""

    @staticmethod
    def forward(ctx: Any, input, linear_weight, target, linear_bias, weight, options, wants_z_loss, memory, is_recorded):  # noqa: ANN001
        tensors = (input, linear_weight, target, linear_bias, weight)
        ctx.options, ctx.memory = options, memory
        outputs = ["sample_loss"] + (["lse"] if wants_z_loss else [])
        statistics, result = _core.forward(_problem(options, *tensors), outputs, torch.get_num_threads(), memory)
        if is_recorded and _required(ctx, linear_bias):
            ctx.save_for_backward(*tensors)
            ctx.statistics = statistics
        dtype = _computed_in(input, linear_weight)
        of_z = _z_loss(result, target, options, dtype) if wants_z_loss else torch.zeros(0, dtype=dtype, device="cpu")
        ctx.mark_non_differentiable(of_z)
        return torch.from_numpy(result["sample_loss"]), of_z

    @staticmethod
    def backward(ctx: Any, of_losses: Tensor, _of_z: Tensor) -> tuple[Tensor | None, ...]:
        _refuse_second_derivative()
        tensors = ctx.saved_tensors
        problem = _problem(ctx.options, *tensors)
        names = _required(ctx, tensors[3])
        coefficients = of_losses.detach().resolve_neg().numpy()
        threads = torch.get_num_threads()
        gradients = _core.backward(problem, ctx.statistics, coefficients, names, threads, ctx.memory)
        return _in_place(gradients, tensors, 1.0)


def _refuse_second_derivative() -> None:
    # With create_graph=True PyTorch records the operations of `backward`, which it cannot differentiate.
    if torch.is_grad_enabled():
        raise RuntimeError("linear_cross_entropy: has no second derivative, expected a backward without create_graph=True")


def _required(ctx: Any, linear_bias: Tensor | None) -> list[str]:
    """The required gradients, by their names among the outputs."""
    needs_input, needs_weight, _, needs_bias, *_ = ctx.needs_input_grad
    needs = {"dX": needs_input, "dW": needs_weight, "db": needs_bias and linear_bias is not None}
    return [name for name, is_needed in needs.items() if is_needed]


def _in_place(gradients: dict[str, Any], tensors: Any, factor: float) -> tuple[Tensor | None, ...]:
    """The gradients times a factor, multiplied in place, in the order and types of the function's arguments."""
    input, linear_weight, _, linear_bias, _ = tensors

    def of(name: str, like: Tensor | None) -> Tensor | None:
        gradient = gradients.pop(name, None)
        if gradient is None or like is None:
            return None
        gradient = torch.from_numpy(gradient.T if name == "dW" else gradient)
        return (gradient if factor == 1.0 else gradient.mul_(factor)).to(like.dtype)

    return of("dX", input), of("dW", linear_weight), None, of("db", linear_bias), None, None, None, None, None


def _evaluate(problem: _core.Problem, outputs: list[str], memory: int | None, top: int | None = None) -> dict[str, Any]:
    return _core.evaluate(problem, outputs, top, "fused", torch.get_num_threads(), None, memory)


def _z_loss(result: dict[str, Any], target: Tensor, options: dict[str, Any], dtype: torch.dtype) -> Tensor:
    """z_loss·lse² of each sample; 0 for ignored samples. Overwrites lse in `result`."""
    of_z = torch.from_numpy(result["lse"]).square_().mul_(options["z_loss"])
    if not target.is_floating_point() and options["ignore_index"] is not None:
        # In int64, since a comparison in uint8 would wrap the index: −100 would be class 156.
        of_z.masked_fill_(target.long() == options["ignore_index"], 0.0)
    return of_z.to(dtype)


def _problem(
    options: dict[str, Any],
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor | None,
    linear_bias: Tensor | None,
    weight: Tensor | None,
) -> _core.Problem:
    is_soft = target is not None and target.is_floating_point()
    labels, soft = (None, target) if is_soft else (target, None)
    if linear_weight.dim() != 2:
        raise ValueError(f"linear_weight: expected 2 axes, found {linear_weight.dim()}")
    return _core.Problem(
        _array(input),
        _array(linear_weight.t()),
        _array(labels),
        _small_array(soft),
        _small_array(linear_bias),
        _small_array(weight),
        None,
        options,
        of_torch=True,
    )


def _array(tensor: Tensor | None) -> Any:
    """A view of a tensor as a NumPy array, or as `BFloat16` for bfloat16. Makes a copy only of a negated view."""
    if tensor is None:
        return None
    tensor = tensor.detach().resolve_neg()
    if tensor.dtype is torch.bfloat16:
        return _core.BFloat16(tensor.view(torch.int16).numpy().view("uint16"))
    return tensor.numpy()


def _small_array(tensor: Tensor | None) -> Any:
    """An array that is later converted to the type of the computation. NumPy has no bfloat16; it becomes float32."""
    if tensor is not None and tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    return _array(tensor)


def _computed_in(input: Tensor, linear_weight: Tensor) -> torch.dtype:
    return torch.float64 if torch.float64 in (input.dtype, linear_weight.dtype) else torch.float32


def _check_tensors(needed: tuple[str, ...], **tensors: Any) -> None:
    for name, tensor in tensors.items():
        if tensor is None and name not in needed:
            continue
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected a tensor, found {type(tensor).__name__}")
        if tensor.device.type != "cpu":
            raise ValueError(f"{name}: expected a tensor on the CPU, found one on {tensor.device}")
        if tensor.layout is not torch.strided:
            raise TypeError(f"{name}: expected a strided tensor, found {tensor.layout}")
        if tensor.dtype not in _DTYPES:
            raise TypeError(f"{name}: expected float32, float64, float16, bfloat16 or integers, found {tensor.dtype}")
