"""optax.softmax_cross_entropy_with_integer_labels, or softmax_cross_entropy for soft targets, compiled by JAX."""
import os
from functools import partial

from softmax_backend import Unsupported, serve, threads

# JAX's CPU client takes its number of threads from the processors that it may run on.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: threads()])

import jax  # noqa: E402  (after the processors are chosen)
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402

jax.config.update("jax_enable_x64", True)


def losses_of(w, x, b, targets, smoothing):
    scores = x @ w + b
    if targets.ndim == 1 and smoothing == 0:
        return optax.softmax_cross_entropy_with_integer_labels(scores, targets), scores
    # This is how optax's documentation smooths labels.
    if targets.ndim == 1:
        targets = jax.nn.one_hot(targets, scores.shape[1], dtype=scores.dtype)
    if smoothing != 0:
        targets = optax.smooth_labels(targets, smoothing)
    return optax.softmax_cross_entropy(scores, targets), scores


def total(w, x, b, targets, u, smoothing, reduction):
    losses, scores = losses_of(w, x, b, targets, smoothing)
    if u is not None:
        losses = u * losses
    loss = losses.sum()
    if reduction == "mean":
        loss = loss / (len(losses) if u is None else u.sum())
    return loss, (losses, scores)


@partial(jax.jit, static_argnames=("smoothing", "reduction", "kinds"))
def compute(w, x, b, targets, u, smoothing, reduction, kinds):
    places = tuple(k for k, name in enumerate(("dW", "dX", "db")) if name in kinds)
    if places:
        (loss, (losses, scores)), found = jax.value_and_grad(total, places, has_aux=True)(
            w, x, b, targets, u, smoothing, reduction
        )
    else:
        (loss, (losses, scores)), found = total(w, x, b, targets, u, smoothing, reduction), ()
    answer = {("dW", "dX", "db")[k]: gradient for k, gradient in zip(places, found)}
    if "sample_loss" in kinds:
        answer["sample_loss"] = losses
    if "lse" in kinds:
        answer["lse"] = jax.nn.logsumexp(scores, axis=1)
    if "predicted" in kinds:
        answer["predicted"] = scores.argmax(1)
    return loss, answer


evaluated = 0


def evaluate(p):
    # JAX keeps the code that it compiles for each shape. Thousands of shapes exceed a process's limit of memory maps.
    global evaluated
    evaluated += 1
    if evaluated % 200 == 0:
        jax.clear_caches()
    if p.label_smoothing and p.Y is not None:
        # optax.smooth_labels assumes that the targets of a sample sum to one.
        raise Unsupported("label_smoothing")
    w, x = jnp.asarray(p.W), jnp.asarray(p.X)
    b = jnp.zeros(p.classes, w.dtype) if p.b is None else jnp.asarray(p.b)
    targets = jnp.asarray(p.Y if p.y is None else p.y)
    u = None if p.sample_weight is None else jnp.asarray(p.sample_weight)
    kinds = frozenset(p.outputs)
    arguments = (w, x, b, targets, u, p.label_smoothing, p.reduction)
    # Counting correct predictions is not part of the loss, and is not timed.
    predicted = np.asarray(compute(*arguments, kinds | {"predicted"})[1]["predicted"])
    correct = None if p.y is None else np.count_nonzero(predicted == p.y)

    def run():
        loss, answer = jax.block_until_ready(compute(*arguments, kinds))
        return {"loss": loss, "correct": correct, **{name: np.asarray(array) for name, array in answer.items()}}

    return run


serve(
    evaluate,
    version=f"JAX {jax.__version__}, optax {optax.__version__}",
    supports=["f32", "f64", "one_class", "soft_targets", "bias", "sample_weights", "sum_reduction", "label_smoothing",
              "features_gradient", "bias_gradient", "sample_losses", "log_sum_exp", "predicted"],
)
