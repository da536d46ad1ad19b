"""Runs the Python code of the README files, the examples and the docstrings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
PAGES = [PACKAGE / "README.md", PACKAGE.parents[1] / "README.md"]
BLOCKS = [
    pytest.param(block, id=f"{page.parent.name}/{page.name}-{k}")
    for page in PAGES
    for k, block in enumerate(re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE))
]


def test_the_pages_have_code():
    pages = {block.id.rsplit("-", 1)[0] for block in BLOCKS}
    assert len(pages) == len(PAGES)


def needs(text):
    for library in ("torch", "sklearn", "scipy"):
        if re.search(rf"^(from|import) (softmax_fused\.)?{library}\b", text, re.MULTILINE):
            pytest.importorskip(library)
    if "SoftmaxRegression" in text:
        pytest.importorskip("sklearn")


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs(block, tmp_path):
    needs(block)
    run([sys.executable, "-W", "error", "-c", block], tmp_path)


EXAMPLES = {
    "linear_probe.py": ["--samples", "400", "--features", "32", "--classes", "5"],
    "language_model_head.py": ["--tokens", "64", "--width", "16", "--vocabulary", "100", "--steps", "5"],
}


def test_every_example_is_run():
    assert sorted(EXAMPLES) == sorted(path.name for path in (PACKAGE / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example, tmp_path):
    path = PACKAGE / "examples" / example
    needs(path.read_text())
    printed = run([sys.executable, str(path), *EXAMPLES[example]], tmp_path)
    if example == "language_model_head.py":
        assert float(printed.split()[-1]) < 1e-4


def test_docstrings_have_examples_that_hold():
    pytest.importorskip("sklearn")
    code = (
        "import doctest, softmax_fused._evaluate as a, softmax_fused._regression as b\n"
        "results = [doctest.testmod(module) for module in (a, b)]\n"
        "assert all(result.failed == 0 and result.attempted > 0 for result in results), results"
    )
    run([sys.executable, "-c", code], None)


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
