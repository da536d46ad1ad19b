"""Trains a small language model with PyTorch's and softmax_fused's cross-entropy: same loss, less memory and time.

    python language_model_head.py [--tokens N] [--width D] [--vocabulary C] [--steps S]

Each training runs in its own process, so that its peak memory can be measured.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time

import torch
import torch.nn.functional as F

WAYS = ("PyTorch", "softmax_fused")


def train(way: str, args: argparse.Namespace, results: multiprocessing.Queue) -> None:
    from softmax_fused.torch import linear_cross_entropy

    torch.manual_seed(0)
    body = torch.nn.Sequential(
        torch.nn.Embedding(args.vocabulary, args.width),
        torch.nn.Linear(args.width, args.width),
        torch.nn.GELU(),
    )
    head = torch.nn.Linear(args.width, args.vocabulary, bias=False)
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=2.0, momentum=0.9)
    # Token frequencies follow Zipf's law, and each token is always followed by the same token.
    follows = torch.randperm(args.vocabulary)
    frequency = 1.0 / torch.arange(1, args.vocabulary + 1)
    losses, seconds = [], []
    for step in range(args.steps + 1):
        tokens = torch.multinomial(frequency, args.tokens, replacement=True)
        target = follows[tokens]
        started = time.perf_counter()
        hidden = body(tokens)
        if way == "PyTorch":
            loss = F.cross_entropy(head(hidden), target)
        else:
            loss = linear_cross_entropy(hidden, head.weight, target)
        optimizer.zero_grad()
        loss.backward()
        seconds.append(time.perf_counter() - started)
        optimizer.step()
        losses.append(loss.item())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Leaves out the first step, which allocates memory that the others reuse.
    results.put((losses, statistics.median(seconds[1:]), peak / 1024))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--vocabulary", type=int, default=32768)
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    curves = {}
    for way in WAYS:
        results = context.Queue()
        process = context.Process(target=train, args=(way, args, results))
        process.start()
        curves[way], seconds, peak = results.get()
        process.join()
        print(f"{way:14} {seconds * 1e3:8.1f} ms a step, forward and backward   {peak:7.0f} MiB of memory at most")
    print(f"\n{'step':>4} {WAYS[0]:>14} {WAYS[1]:>14}")
    for step in range(0, args.steps + 1, max(1, args.steps // 10)):
        print(f"{step:4} {curves[WAYS[0]][step]:14.6f} {curves[WAYS[1]][step]:14.6f}")
    difference = max(abs(a - b) / a for a, b in zip(*curves.values()))
    print(f"\nlargest relative difference of the losses: {difference:.1e}")


if __name__ == "__main__":
    main()
