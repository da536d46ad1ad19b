"""Compares `softmax eval` with PyTorch's float64 autograd, on problems with each option and with random crossings.

Usage: python against_torch.py path/to/softmax [backend ...]     (needs torch and numpy; default: all backends)

The formula is composed from tensor operations, but for plain options, where it is torch's own cross_entropy.
Prints the worst errors relative to the largest entry of each output; exits with 1 above 1e-12 in f64 or 2e-5 in f32.
"""
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F

BOUNDS = {"f64": 1e-12, "f32": 2e-5}
OPTIONS = {
    "soft": [True], "b": [True], "class_weight": [True], "sample_weight": [True], "label_smoothing": [0.1, 1.0],
    "ignore_index": [2, -100], "reduction": ["sum"], "l2": [0.05], "z_loss": [0.01], "softcap": [3.0],
    "temperature": [0.5],
}


def make(options, rng, dtype):
    n, d, c = rng.integers(1, 40), rng.integers(1, 30), rng.integers(2, 20)
    p = {"X": rng.standard_normal((n, d)), "W": rng.standard_normal((d, c)) / np.sqrt(d)}
    if options.get("soft"):
        Y = rng.random((n, c))
        p["Y"] = Y / Y.sum(1, keepdims=True)
    else:
        p["y"] = rng.integers(0, c, n)
        if options.get("ignore_index") == -100:
            p["y"][rng.random(n) < 0.3] = -100
            p["y"][0] = 0
    for name, length in [("b", c), ("class_weight", c), ("sample_weight", n)]:
        if options.get(name):
            p[name] = rng.random(length) + 0.1 if name != "b" else rng.standard_normal(length)
    return {k: v if k == "y" else v.astype(dtype) for k, v in p.items()}


def torch_answer(p, o):
    t = {k: torch.tensor(v, dtype=torch.int64 if k == "y" else torch.float64) for k, v in p.items()}
    for k in ("X", "W"):
        t[k].requires_grad_()
    n, c = t["X"].shape[0], t["W"].shape[1]
    b = t.get("b", torch.zeros(c, dtype=torch.float64)).requires_grad_()
    eps = o.get("label_smoothing", 0.0)
    s = (t["X"] @ t["W"] + b) / o.get("temperature", 1.0)
    if "softcap" in o:
        s = o["softcap"] * torch.tanh(s / o["softcap"])
    lse = torch.logsumexp(s, 1)
    ignored = torch.zeros(n, dtype=torch.bool)
    w = t.get("class_weight", torch.ones(c, dtype=torch.float64))
    if "y" in t and "ignore_index" in o:
        ignored = t["y"] == o["ignore_index"]
    u = t.get("sample_weight", torch.ones(n, dtype=torch.float64)) * (~ignored)
    y = t["y"].clamp(min=0) if "y" in t else None
    target = t["Y"] if "Y" in t else F.one_hot(y, c).double()
    a = ((1 - eps) * target + eps / c) * w
    losses = u * (a.sum(1) * lse - (a * s).sum(1) + o.get("z_loss", 0.0) * lse**2)
    omega = 1.0 if o.get("reduction") == "sum" else (u * (w[y] if y is not None else 1)).sum()
    loss = losses.sum() / omega + o.get("l2", 0.0) / 2 * (t["W"] ** 2).sum()
    plain = not ({"sample_weight", "z_loss", "l2"} & set(o)) and ("Y" not in t or not "class_weight" in o)
    if plain and not bool(ignored.all()):
        own = F.cross_entropy(
            s, t["Y"] if "Y" in t else t["y"], weight=t.get("class_weight"), label_smoothing=eps,
            reduction=o.get("reduction", "mean"), ignore_index=o.get("ignore_index", -100) if "y" in t else -100,
        )
        assert torch.allclose(own, loss, rtol=1e-12), (own, loss, o)
        loss = own
    loss.backward()
    return {
        "loss": loss.detach(), "dW": t["W"].grad, "dX": t["X"].grad, "db": b.grad,
        "sample_loss": losses.detach(), "lse": lse.detach(),
    }


def compare(program, backend, p, o, dtype, folder):
    data, out = os.path.join(folder, "p.npz"), os.path.join(folder, "g.npz")
    np.savez(data, **p)
    flags = [str(x) for k, v in o.items() if k in FLAGS for x in (f"--{k.replace('_', '-')}", v)]
    command = [program, "eval", "--backend", backend, "--data", data, "--out", out, "--dtype", dtype, *flags]
    subprocess.run(command, check=True)
    expected, found = torch_answer(p, o), np.load(out)
    errors = {}
    for name, value in expected.items():
        value = value.numpy()
        if np.isnan(value).any():
            continue
        scale = np.abs(value).max() or 1.0
        errors[name] = float(np.abs(found[name].astype(np.float64) - value).max() / scale)
    return errors


FLAGS = {"label_smoothing", "ignore_index", "reduction", "l2", "z_loss", "softcap", "temperature"}


def main():
    program, backends = sys.argv[1], sys.argv[2:]
    if not backends:
        listing = subprocess.run([program, "backends", "--format", "json"], capture_output=True, check=True)
        backends = [b["name"] for b in json.loads(listing.stdout)["backends"]]
    random.seed(1)
    choices = [{}] + [{k: v} for k, values in OPTIONS.items() for v in values]
    for pair in itertools.combinations(OPTIONS, 2):
        choices.append({k: random.choice(OPTIONS[k]) for k in pair})
    for _ in range(30):
        choices.append({k: random.choice(v) for k, v in OPTIONS.items() if random.random() < 0.5})
    worst = {}
    with tempfile.TemporaryDirectory() as folder:
        for k, options in enumerate(choices):
            options = {key: v for key, v in options.items() if not (key == "ignore_index" and options.get("soft"))}
            for dtype, numpy_type in [("f64", np.float64), ("f32", np.float32)]:
                p = make(options, np.random.default_rng(k), numpy_type)
                for backend in backends:
                    for name, error in compare(program, backend, p, options, dtype, folder).items():
                        key = (dtype, backend, name)
                        if error >= worst.get(key, (-1.0, None))[0]:
                            worst[key] = (error, options)
    names = ["loss", "dW", "dX", "db", "sample_loss", "lse"]
    print(f"{len(choices)} combinations; worst error relative to the largest entry")
    print(f"{'':20}" + "".join(f"{name:>13}" for name in names))
    for dtype, backend in itertools.product(BOUNDS, backends):
        row = [worst[(dtype, backend, name)][0] for name in names]
        print(f"{dtype} {backend:16}" + "".join(f"{error:13.1e}" for error in row))
    over = {key: value for key, value in worst.items() if not value[0] <= BOUNDS[key[0]]}
    for (dtype, backend, name), (error, options) in over.items():
        print(f"too large: {dtype} {backend} {name}: {error:.1e} with {options}")
    sys.exit(bool(over))


main()
