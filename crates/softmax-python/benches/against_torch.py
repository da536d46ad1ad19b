"""Measures time and memory of `linear_cross_entropy`, forward and backward, against PyTorch eager and compiled.

    python against_torch.py [--threads T] [--rounds R] [NxDxC:dtype ...]

In each of R rounds, every implementation runs a block of steps, one implementation after the other. The first step of
a block is not counted, because PyTorch's threads spin for some milliseconds after their work and would slow it down.
Times are medians over rounds of each block's median; ratios are medians over rounds. Memory is the peak of one step
beyond what was held before it, gradients included, measured in a separate process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import softmax_fused
from softmax_fused.torch import linear_cross_entropy

SHAPES = ["1024x2048x1000:float32", "1024x1024x32768:float32", "1024x2048x1000:bfloat16", "1024x1024x32768:bfloat16"]


def tensors(shape: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    sizes, dtype = shape.split(":")
    n, d, c = map(int, sizes.split("x"))
    torch.manual_seed(0)
    input = torch.randn(n, d).to(getattr(torch, dtype)).requires_grad_()
    weight = (torch.randn(c, d) / d**0.5).to(getattr(torch, dtype)).requires_grad_()
    return input, weight, torch.randint(0, c, (n,))


def eager(input, weight, target):
    return F.cross_entropy(F.linear(input, weight), target)


def lean(input, weight, target):
    # A quarter of the memory of the logits in float32.
    memory = len(input) * len(weight) * 4 // 4
    return linear_cross_entropy(input, weight, target, memory=memory)


WAYS = {
    "softmax_fused": linear_cross_entropy,
    "with little memory": lean,
    "eager": eager,
    "compiled": torch.compile(eager),
}


def step(way: str, input, weight, target) -> float:
    input.grad = weight.grad = None
    started = time.perf_counter()
    WAYS[way](input, weight, target).backward()
    return time.perf_counter() - started


def status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) >> 10


def memory(way: str, shape: str, threads: int) -> None:
    torch.set_num_threads(threads)
    input, weight, target = tensors(shape)
    # A first step on few rows, so that libraries loaded and code compiled once do not count.
    step(way, input[:64].detach().requires_grad_(), weight, target[:64])
    weight.grad = None
    softmax_fused.release_memory()
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS:")
    step(way, input, weight, target)
    print(status("VmHWM:") - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    parser.add_argument("shapes", nargs="*", default=SHAPES)
    args = parser.parse_args()
    if args.memory:
        return memory(args.memory, args.shapes[0], args.threads)
    torch.set_num_threads(args.threads)
    for shape in args.shapes:
        given = tensors(shape)
        slowest = max(min(step(way, *given) for _ in range(3)) for way in WAYS)
        steps = max(3, min(20, int(1 / slowest)))
        rounds = {way: [] for way in WAYS}
        for _ in range(args.rounds):
            for way in WAYS:
                step(way, *given)
                rounds[way].append(statistics.median(step(way, *given) for _ in range(steps)))
        print(f"{shape}, {args.threads} threads, PyTorch {torch.__version__}")
        for way, times in rounds.items():
            command = [sys.executable, __file__, "--threads", str(args.threads), "--memory", way, shape]
            held = int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            ratio = statistics.median(a / b for a, b in zip(times, rounds["softmax_fused"]))
            print(f"  {way:18} {statistics.median(times) * 1e3:9.2f} ms  {ratio:5.2f}  {held:5} MiB", flush=True)


if __name__ == "__main__":
    main()
