"""The common code of the PyTorch adapters: cross_entropy of a linear layer, with gradients by autograd."""
import numpy as np
import torch
import torch.nn.functional as F

from softmax_backend import Unsupported, serve, threads

torch.set_num_threads(threads())

FEATURES = [
    "f32", "f64", "one_class", "soft_targets", "bias", "class_weights", "sample_weights", "negative_weights", "sum_reduction",
    "label_smoothing", "ignore_index", "features_gradient", "bias_gradient", "sample_losses", "log_sum_exp", "predicted",
    "entropy", "label_log_prob",
]
FACTS = {"lse", "predicted", "entropy", "label_log_prob"}


def reference(x, linear_weight, target, bias, **options):
    """The same as linear_cross_entropy, as two calls."""
    return F.cross_entropy(F.linear(x, linear_weight, bias), target, **options)


def tensor(array, requires_grad=False):
    return None if array is None else torch.from_numpy(array).requires_grad_(requires_grad)


def serve_torch(loss_of, name, supports=FEATURES):
    """Serves `loss_of(x, linear_weight (C×D), target, bias, weight=, ignore_index=, label_smoothing=, reduction=)`."""

    def evaluate(p):
        target = tensor(p.y if p.y is not None else p.Y)
        x = tensor(p.X, "dX" in p.outputs)
        # torch.nn.Linear stores the weights as C×D.
        weight = tensor(np.ascontiguousarray(p.W.T), "dW" in p.outputs)
        bias = tensor(p.b if p.b is not None else np.zeros(p.classes, p.W.dtype), "db" in p.outputs)
        if p.b is None and "db" not in p.outputs:
            bias = None
        class_weight, sample_weight = tensor(p.class_weight), tensor(p.sample_weight)
        options = {"label_smoothing": p.label_smoothing}
        if class_weight is not None:
            options["weight"] = class_weight
        if p.y is not None:
            options["ignore_index"] = -100 if p.ignore_index is None else p.ignore_index

        def total():
            """The loss. Sample weights are applied with reduction="none", as PyTorch's documentation says."""
            if sample_weight is None:
                return loss_of(x, weight, target, bias, reduction=p.reduction, **options)
            losses = sample_weight * loss_of(x, weight, target, bias, reduction="none", **options)
            if p.reduction == "sum":
                return losses.sum()
            divisor = sample_weight
            if p.y is not None:
                counts = target != options["ignore_index"]
                divisor = divisor[counts]
                if class_weight is not None:
                    divisor = divisor * class_weight[target[counts]]
            return losses.sum() / divisor.sum()

        def run():
            for parameter in (x, weight, bias):
                if parameter is not None:
                    parameter.grad = None
            loss = total()
            if loss.requires_grad:
                loss.backward()
            answer = {"loss": loss.item()}
            for key, parameter in (("dX", x), ("dW", weight), ("db", bias)):
                if key in p.outputs:
                    answer[key] = parameter.grad.numpy().T if key == "dW" else parameter.grad.numpy()
            with torch.no_grad():
                answer.update(facts())
            return answer

        def facts():
            answer = {}
            if "sample_loss" in p.outputs:
                losses = loss_of(x, weight, target, bias, reduction="none", **options)
                answer["sample_loss"] = (losses if sample_weight is None else sample_weight * losses).numpy()
            if not FACTS.intersection(p.outputs):
                return answer
            scores = F.linear(x, weight, bias)
            answer["predicted"] = scores.argmax(1).numpy()
            if "lse" in p.outputs:
                answer["lse"] = torch.logsumexp(scores, 1).numpy()
            if "entropy" in p.outputs:
                answer["entropy"] = torch.distributions.Categorical(logits=scores, validate_args=False).entropy().numpy()
            if "label_log_prob" in p.outputs:
                if p.y is None:
                    raise Unsupported("soft_targets")
                inside = (target >= 0) & (target < p.classes)
                labels = torch.where(inside, target, 0)
                of_label = torch.log_softmax(scores, 1).gather(1, labels[:, None])[:, 0]
                answer["label_log_prob"] = torch.where(inside, of_label, torch.nan).numpy()
            return answer

        def whole():
            answer = run()
            if p.y is not None and "predicted" not in answer:
                with torch.no_grad():
                    answer["predicted"] = F.linear(x, weight, bias).argmax(1).numpy()
            return answer

        # Counting correct predictions is not part of the loss, and is not timed.
        counted = whole()
        correct = None
        if p.y is not None:
            counts = p.y != options["ignore_index"]
            correct = int(np.count_nonzero((counted["predicted"] == p.y) & counts))

        def timed():
            return {"correct": correct, **run()}

        return timed

    serve(evaluate, version=f"PyTorch {torch.__version__}, {name}", supports=supports)
