"""keras.losses.SparseCategoricalCrossentropy and CategoricalCrossentropy on scores, with TensorFlow's gradients."""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras  # noqa: E402  (after the variables that it reads)
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from softmax_backend import Unsupported, serve, threads  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(threads())
tf.config.threading.set_inter_op_parallelism_threads(1)

REDUCTIONS = {"mean": "mean_with_sample_weight", "sum": "sum"}


def loss_of(p, reduction):
    if p.Y is not None or p.label_smoothing:
        return keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=p.label_smoothing, reduction=reduction, dtype=dtype(p)
        )
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=p.ignore_index, reduction=reduction, dtype=dtype(p)
    )


def dtype(p):
    return {"f32": "float32", "f64": "float64"}[p.dtype]


def evaluate(p):
    if p.label_smoothing and p.ignore_index is not None:
        # In Keras one loss smooths labels and another ignores a class; none does both.
        raise Unsupported("label_smoothing")
    x, w = tf.constant(p.X), tf.constant(p.W)
    b = tf.constant(np.zeros(p.classes, p.W.dtype) if p.b is None else p.b)
    targets = tf.constant(p.y if p.Y is None else p.Y)
    if p.Y is None and p.label_smoothing:
        targets = tf.one_hot(p.y, p.classes, dtype=w.dtype)
    loss, each = loss_of(p, REDUCTIONS[p.reduction]), loss_of(p, "none")
    sources = [(name, array) for name, array in (("dW", w), ("dX", x), ("db", b)) if name in p.outputs]
    scores = tf.matmul(x, w) + b
    predicted = tf.argmax(scores, 1).numpy()

    def run():
        with tf.GradientTape() as tape:
            tape.watch([array for _, array in sources])
            value = loss(targets, tf.matmul(x, w) + b, p.sample_weight)
        found = tape.gradient(value, [array for _, array in sources])
        answer = {"loss": value, "predicted": predicted}
        answer.update((name, gradient.numpy()) for (name, _), gradient in zip(sources, found))
        if "sample_loss" in p.outputs:
            answer["sample_loss"] = each(targets, scores, p.sample_weight).numpy()
        if "lse" in p.outputs:
            answer["lse"] = tf.reduce_logsumexp(scores, 1).numpy()
        return answer

    return run


serve(
    evaluate,
    version=f"Keras {keras.__version__}, TensorFlow {tf.__version__}",
    supports=["f32", "f64", "one_class", "soft_targets", "bias", "sample_weights", "sum_reduction", "label_smoothing",
              "ignore_index", "features_gradient", "bias_gradient", "sample_losses", "log_sum_exp", "predicted"],
)
