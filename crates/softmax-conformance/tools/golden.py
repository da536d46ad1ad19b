"""Writes src/suite/golden.json: problems with their answers to 60 digits, by mpmath and nothing of this project.

Usage: python tools/golden.py > src/suite/golden.json     (needs mpmath)

Inputs are multiples of 1/16, which f32 and f64 hold exactly. Answers are pairs of doubles whose sum is the value
to some 32 digits. The formula is taken literally, as it stands in softmax-core: with 400 digits nothing needs care, and a
prediction of margin 300, whose log-probability is next to −1e-130, has 60 of its own and more.
"""
import json
import random
from mpmath import exp, log, mp, mpf, tanh

mp.dps = 400
random.seed(20240607)


def pair(v):
    if abs(v) < mpf(10) ** -300:  # what is left of terms that cancel
        v = mpf(0)
    hi = float(v)
    return [hi, float(v - mpf(hi))]


def sixteenths(low, high):
    return random.randint(low * 16, high * 16) / 16


def solve(p):
    X, W, n, d, c = p["X"], p["W"], p["n"], p["d"], p["c"]
    o = p["objective"]
    eps, zeta, lam = mpf(o["label_smoothing"]), mpf(o["z_loss"]), mpf(o["l2"])
    tau, cap = mpf(o["temperature"]), o["softcap"] and mpf(o["softcap"])
    b = [mpf(x) for x in p["b"] or [0] * c]
    w = [mpf(x) for x in p["class_weight"] or [1] * c]
    u = [mpf(x) for x in p["sample_weight"] or [1] * n]
    ignored = [p["y"] is not None and p["y"][i] == o["ignore_index"] for i in range(n)]
    if o["reduction"] == "sum":
        omega = mpf(1)
    else:
        omega = sum(u[i] * (w[p["y"][i]] if p["y"] is not None else 1) for i in range(n) if not ignored[i])
    losses, lses, entropies, log_probs, G = [], [], [], [], []
    for i in range(n):
        raw = [(sum(mpf(X[i][k]) * mpf(W[k][j]) for k in range(d)) + b[j]) / tau for j in range(c)]
        s = [cap * tanh(r / cap) for r in raw] if cap else raw
        slope = [1 - tanh(r / cap) ** 2 for r in raw] if cap else [mpf(1)] * c
        m = max(s)
        lse = m + log(sum(exp(x - m) for x in s))
        lses.append(lse)
        entropies.append(-sum(exp(x - lse) * (x - lse) for x in s))
        if p["y"] is not None:
            log_probs.append(s[p["y"][i]] - lse)
        if ignored[i]:
            losses.append(mpf(0))
            G.append([mpf(0)] * c)
            continue
        target = p["Y"][i] if p["Y"] is not None else [int(j == p["y"][i]) for j in range(c)]
        a = [((1 - eps) * mpf(target[j]) + eps / c) * w[j] for j in range(c)]
        A = sum(a)
        losses.append(u[i] * (A * lse - sum(a[j] * s[j] for j in range(c)) + zeta * lse**2))
        G.append([u[i] / omega * ((A + 2 * zeta * lse) * exp(s[j] - lse) - a[j]) * slope[j] / tau for j in range(c)])
    loss = sum(losses) / omega + lam / 2 * sum(mpf(x) ** 2 for row in W for x in row)
    dW = [[sum(mpf(X[i][k]) * G[i][j] for i in range(n)) + lam * mpf(W[k][j]) for j in range(c)] for k in range(d)]
    dX = [[sum(G[i][j] * mpf(W[k][j]) for j in range(c)) for k in range(d)] for i in range(n)]
    db = [sum(G[i][j] for i in range(n)) for j in range(c)]
    flat = lambda rows: [pair(x) for row in rows for x in row]
    return {
        "loss": pair(loss),
        "weights_gradient": flat(dW),
        "features_gradient": flat(dX),
        "bias_gradient": [pair(x) for x in db],
        "sample_losses": [pair(x) for x in losses],
        "log_sum_exp": [pair(x) for x in lses],
        "entropy": [pair(x) for x in entropies],
        "label_log_prob": [pair(x) for x in log_probs],
    }


def problem(name, n, d, c, scale=2, soft=False, **options):
    p = {
        "name": name, "n": n, "d": d, "c": c,
        "X": [[sixteenths(-1, 1) for _ in range(d)] for _ in range(n)],
        "W": [[sixteenths(-scale, scale) for _ in range(c)] for _ in range(d)],
        "y": None if soft else [random.randrange(c) for _ in range(n)],
        "Y": [[random.randint(0, 8) / 16 for _ in range(c)] for _ in range(n)] if soft else None,
        "b": None, "class_weight": None, "sample_weight": None,
    }
    for key, length, low, high in [("b", c, -1, 1), ("class_weight", c, 0, 3), ("sample_weight", n, 0, 2)]:
        if options.pop(key, False):
            p[key] = [sixteenths(low, high) for _ in range(length)]
    p["objective"] = {
        "reduction": "mean", "label_smoothing": 0.0, "ignore_index": None, "l2": 0.0, "z_loss": 0.0,
        "softcap": None, "temperature": 1.0, **options,
    }
    return p


def confident(margin):
    p = problem(f"margin-{margin}", 3, 3, 3)
    p["X"] = [[float(i == k) for k in range(3)] for i in range(3)]
    p["W"] = [[float(margin) if i == k else 0.0 for k in range(3)] for i in range(3)]
    p["y"] = [0, 1, 2]
    return p


problems = [problem("plain", 4, 3, 5), problem("plain-sum", 4, 3, 5, reduction="sum")]
problems += [confident(m) for m in (10, 20, 40, 60, 80)]
single = [
    dict(b=True), dict(class_weight=True), dict(sample_weight=True), dict(soft=True), dict(label_smoothing=0.125),
    dict(label_smoothing=1.0), dict(ignore_index=1), dict(l2=0.25), dict(z_loss=0.0625), dict(softcap=2.0),
    dict(temperature=0.5), dict(temperature=2.0), dict(scale=30), dict(scale=30, softcap=8.0),
]
problems += [problem("-".join(f"{k}-{v}" for k, v in o.items()), 5, 3, 4, **o) for o in single]
for k in range(24):
    flip = lambda: random.random() < 0.5
    o = dict(
        b=flip(), class_weight=flip(), sample_weight=flip(), soft=flip(), reduction=random.choice(["mean", "sum"]),
        label_smoothing=random.choice([0.0, 0.125, 0.5]), ignore_index=random.choice([None, 0]),
        l2=random.choice([0.0, 0.25]), z_loss=random.choice([0.0, 0.0625]), softcap=random.choice([None, 4.0]),
        temperature=random.choice([1.0, 0.5]),
    )
    problems.append(problem(f"all-{k}", random.randint(1, 7), random.randint(1, 9), random.randint(1, 9), **o))
problems.append(confident(300))
for p in problems:
    p["expected"] = solve(p)
print("[\n" + ",\n".join(json.dumps(p) for p in problems) + "\n]")
