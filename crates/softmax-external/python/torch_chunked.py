"""torch.nn.functional.linear_cross_entropy, which computes the scores in chunks."""
import torch.nn.functional as F
from softmax_backend import Unsupported
from torch.nn.modules.linear_cross_entropy_options import LinearCrossEntropyOptions
from torch_loss import FEATURES, serve_torch


def chunked(x, linear_weight, target, bias, **options):
    if options.get("reduction") == "none":
        raise Unsupported("sample_losses")
    return F.linear_cross_entropy(x, linear_weight, target, linear_bias=bias, options=LinearCrossEntropyOptions(), **options)


serve_torch(chunked, "chunked linear_cross_entropy", [f for f in FEATURES if f not in ("label_smoothing", "sample_weights", "sample_losses")])
