"""A softmax backend in Python: serve(evaluate) answers the program `softmax` over standard input and output.

Copy this file beside your own. It needs Python 3.9 and NumPy, nothing else. The protocol is in docs/EXTERNAL.md.

    import numpy as np
    from softmax_backend import serve

    def evaluate(p):
        S = p.X @ p.W
        P = np.exp(S - S.max(1, keepdims=True))
        P /= P.sum(1, keepdims=True)
        rows, predicted = np.arange(p.samples), P.argmax(1)
        loss = -np.log(P[rows, p.y]).mean()
        P[rows, p.y] -= 1
        return {"loss": loss, "dW": p.X.T @ P / p.samples, "predicted": predicted}

    serve(evaluate, version="mine 1.0", supports=["f32", "f64", "predicted"])
"""
import ctypes
import json
import os
import sys
import time
import traceback
from types import SimpleNamespace

import numpy as np

__all__ = ["Unsupported", "serve", "threads"]

_DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64}
_NAMES = {np.dtype(kind): name for name, kind in _DTYPES.items() if name != "BF16"}
_OPTIONAL = ("X", "X_data", "X_indices", "X_indptr", "W", "y", "Y", "b", "class_weight", "sample_weight")


class Unsupported(Exception):
    """A feature that the backend does not support, by its name: `raise Unsupported("label_smoothing")`."""


def threads():
    """The number of threads that the backend should use."""
    return int(os.environ.get("SOFTMAX_THREADS", os.cpu_count() or 1))


def serve(evaluate, *, version, supports, device="cpu", deterministic=False, batch_invariant=False):
    """Answers requests from standard input until it ends.

    `evaluate(problem)` returns a dict with "loss", each output in `problem.outputs` by its name ("dW", "dX", "db",
    "sample_loss", "lse", "predicted", "entropy", "label_log_prob", "label_rank", "top_classes", "top_log_prob"). If
    there are labels, the dict also has "predicted" or "correct", the number of correctly predicted samples. It may add
    "total_weight". Other entries are not sent.
    It may instead return a function without arguments that returns the dict. The reported time is then that of this
    function alone, without preparation such as conversions to a library's own arrays.

    `problem` has X (N×D), W (D×C), y (N) or Y (N×C), b (C), class_weight (C) and sample_weight (N), as NumPy arrays or
    None; dtype ("f32" or "f64", of all results); samples, features, classes; reduction ("mean" or "sum"),
    label_smoothing, ignore_index, l2, z_loss, softcap, temperature; outputs and top. Sparse features have X = None and
    X_data, X_indices, X_indptr, as in SciPy's csr_matrix. bfloat16 arrives as ml_dtypes.bfloat16 if that is installed,
    and otherwise as its bits in uint16.

    `version` names the library and its version: "PyTorch 2.9.0". `supports` lists the supported features, with at least
    one of "f32" and "f64". docs/EXTERNAL.md has their names.
    """
    # Standard output becomes standard error, so that what libraries print does not mix with the replies.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _send(replies, {
        "protocol": 1,
        "version": version,
        "device": device,
        "deterministic": deterministic,
        "batch_invariant": batch_invariant,
        "supports": list(supports),
    })
    again = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["call"] == "repeat":
                seconds, _ = _timed(again)
                reply = {"seconds": seconds}
            else:
                again, reply = _evaluate(evaluate, request)
        except Unsupported as what:
            reply = {"unsupported": str(what)}
        except Exception as error:  # Every failure is reported to the program.
            traceback.print_exc()
            reply = {"error": _where(error)}
        _send(replies, {"id": request["id"], **reply})


def _where(error):
    """The error with its file and line number, as a short message."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:1000]} ({os.path.basename(place.filename)}:{place.lineno})"


def _send(replies, message):
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def _timed(run):
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def _evaluate(evaluate, request):
    problem = SimpleNamespace(**dict.fromkeys(_OPTIONAL), **request["options"])
    for name in ("dtype", "samples", "features", "classes", "outputs", "top"):
        setattr(problem, name, request[name])
    vars(problem).update(_read(request["problem"]))
    seconds, result = _timed(lambda: evaluate(problem))
    run = result if callable(result) else lambda: evaluate(problem)
    if callable(result):
        seconds, result = _timed(run)
    extra_bytes = None
    if request["watch_memory"]:
        result, extra_bytes = _watched(run, result, problem.outputs)
    reply = {"loss": _number(result["loss"]), "seconds": seconds, "extra_bytes": extra_bytes}
    if "total_weight" in result:
        reply["total_weight"] = _number(result["total_weight"])
    if problem.y is not None:
        reply["correct"] = _correct(problem, result)
    if problem.outputs:
        _write(request["answer"], {name: result[name] for name in problem.outputs})
    return run, reply


def _correct(problem, result):
    if "correct" in result:
        return int(result["correct"])
    if "predicted" not in result:
        raise KeyError("with labels an answer has correct, or predicted")
    counted = problem.y != problem.ignore_index if problem.ignore_index is not None else True
    return int(np.count_nonzero((np.asarray(result["predicted"]) == problem.y) & counted))


def _number(x):
    """x for JSON, which has no NaN and no infinity: these become strings."""
    x = float(x)
    return "NaN" if x != x else "Infinity" if x == np.inf else "-Infinity" if x == -np.inf else x


def _read(path):
    """The arrays of a safetensors file. They are memory-mapped; writing to them does not change the file."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    data = np.memmap(path, np.uint8, "c") if any(of["shape"] != [0] for of in header.values()) else None
    arrays = {}
    for name, of in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in of["data_offsets"])
        numbers = np.asarray(data[begin:end]).view(_DTYPES[of["dtype"]]).reshape(of["shape"])
        arrays[name] = _bfloat16(numbers) if of["dtype"] == "BF16" else numbers
    return arrays


def _bfloat16(bits):
    try:
        import ml_dtypes
    except ImportError:
        return bits
    return bits.view(ml_dtypes.bfloat16)


def _write(path, arrays):
    """Writes a safetensors file. The arrays with the largest elements come first, so that all are aligned."""
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.kind in "iu":
            arrays[name] = array.astype(np.int64, copy=False)
        elif array.dtype not in _NAMES:
            raise TypeError(f"{name}: expected numbers or integers, found {array.dtype}")
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    header, offset = {}, 0
    for name in order:
        array, begin = arrays[name], offset
        offset += array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": array.shape, "data_offsets": [begin, offset]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.write(arrays[name].reshape(-1).view(np.uint8).data)


def _watched(run, result, outputs):
    """Runs once more. Returns the result and its peak bytes beyond inputs and outputs, or None if not on Linux."""
    try:
        # Memory that the allocator has kept would not count, so it goes back to the system first.
        ctypes.CDLL(None).malloc_trim(0)
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")
        before = _memory("VmRSS")
    except (OSError, AttributeError):
        return result, None
    kept, result = result, run()  # The old result is kept: memory reused from it would not be counted.
    size = sum(np.asarray(result[name]).nbytes for name in outputs)
    del kept
    return result, max(_memory("VmHWM") - before - size, 0)


def _memory(field):
    """The resident memory of this process in bytes: now (VmRSS), or its peak (VmHWM)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))
