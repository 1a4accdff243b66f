# SPDX-License-Identifier: BSD-3-Clause
"""The tree of the project: tests mirror the sources, every file states its licence, every name is shown."""

import re
from pathlib import Path

import pytest

import fastrnn as fr

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, TESTS = ROOT / "src" / "fastrnn", ROOT / "tests"
SUFFIXES = {".c", ".h", ".def", ".py", ".pyx", ".pxd", ".pxi", ".pyi"}
OTHER_FOLDERS = {"benchmarks", "csrc", "examples", "fuzz", "golden", "project", "support", "typing"}  # of tests

# Modules without a test file of their own, and where they are tested.
TESTED_ELSEWHERE = {
    "aeon._bases": "what type checkers are told of aeon: tests/typing",
    "sktime._bases": "what type checkers are told of sktime: tests/typing",
    "_engine.cells": "the table of cells, read from C: tests/csrc",
    "_engine.pooling": "the largest values over time: tests/csrc/test_pool.py",
    "decoding._decoded": "the result of every kind of decoding: tests/decoding",
    "decoding._stepping": "what every kind of decoding goes through: tests/decoding",
    "export._template": "the C code of every model: tests/export/test_c.py",
    "init._shared": "what initialisers share: tests/init",
    "io._architectures": "what files say about models: tests/io/test_models_*",
    "losses._differences": "what losses of regression share: tests/losses/test_regression*",
    "losses._softmax": "the formulas of cross_entropy: tests/losses/test_cross_entropy*",
}


# In tests/bridges: tests is on sys.path, where tests/torch would be what `import torch` finds if PyTorch is not there.
BRIDGES = {"aeon", "optuna", "sktime", "torch"}


def bare(path):
    """Path parts without the underscores of private modules and folders: ("nn", "recurrent", "stack")."""
    return tuple(part.removeprefix("_") for part in path.with_suffix("").parts)


def home(parts):
    """Where the tests of a folder of the package lie, below tests/."""
    return ("bridges", *parts) if parts[:1] and parts[0] in BRIDGES else parts


def modules():
    """Modules of the package that hold code of their own."""
    paths = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]
    return [path for path in paths if not path.stem.startswith("__") and "benchmarks" not in path.parts]


def sources(*folders):
    """The source files below folders of the tree, as paths relative to it."""
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    return sorted(str(path.relative_to(ROOT)) for path in paths if path.suffix in SUFFIXES)


@pytest.mark.parametrize("module", modules(), ids=lambda path: ".".join(path.with_suffix("").parts))
def test_every_module_has_a_test_file(module):
    """tests/nn/recurrent/test_stack.py, or test_stack_<idea>.py, for src/fastrnn/nn/_recurrent/stack.py."""
    *folders, stem = bare(module)
    if ".".join(module.with_suffix("").parts) not in TESTED_ELSEWHERE:
        folder = TESTS.joinpath(*home(tuple(folders)))
        assert (
            list(folder.glob(f"test_{stem}.py")) or list(folder.glob(f"test_{stem}_*.py")) or (folder / stem).is_dir()
        )


def test_folders_of_tests_are_folders_of_sources():
    known = {
        home(bare(path.relative_to(PACKAGE))) for path in PACKAGE.rglob("*") if path.is_dir() or path.suffix == ".py"
    }
    folders = {path.parent.relative_to(TESTS).parts for path in TESTS.rglob("test_*.py")} - {()}
    assert {folder for folder in folders if folder[0] not in OTHER_FOLDERS} <= known


def test_every_file_states_its_licence():
    """The first line is the SPDX line."""
    line = r"(?:/\* |# )SPDX-License-Identifier: BSD-3-Clause\n"
    files = sources("csrc", "src", "tests", "benchmarks")
    assert len(files) > 200
    assert [name for name in files if not re.match(line, (ROOT / name).read_text())] == []


# Names without an idea of their own to show: how a training is stored, the machine asked, a layer of one's own made, a
# hidden layer's function and the logarithm of a probability. Guides show them.
IN_NO_EXAMPLE = {"Batch", "Batches", "Checkpoint", "Stream", "isas", "load_checkpoint", "save_checkpoint"}
IN_NO_EXAMPLE |= {"show_config", "Recurrent", "check_gradients", "Activation", "log_softmax"}
IN_NO_EXAMPLE |= {"PackedSequence", "pack_sequence", "CausalConv1d", "Predictor"}


def test_every_public_name_is_shown_in_an_example():
    text = "\n".join(path.read_text() for path in (ROOT / "examples").glob("*.py"))
    shown = set(re.findall(r"\bfr\.(\w+)", text))
    assert set(fr.__all__) - shown == IN_NO_EXAMPLE


def test_the_table_of_examples_lists_each_of_them():
    """With the part of the package that it shows."""
    listed = re.findall(r"\]\((\w+)\.py\)", (ROOT / "examples" / "README.md").read_text())
    expected = sorted(path.stem for path in (ROOT / "examples").glob("*.py") if not path.stem.startswith("_"))
    assert sorted(listed) == expected


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"])
def test_links_of_markdown_lead_to_files(name):
    links = re.findall(r"\]\(([\w./-]+)\)", (ROOT / name).read_text())
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []


def test_nothing_is_left_for_later():
    """No word that marks unfinished work; such things belong into the tracker."""
    words = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
    files = sources("csrc", "src", "tests", "benchmarks", "examples")
    files += ["CMakeLists.txt", "Makefile"]
    assert [name for name in files if words.search((ROOT / name).read_text())] == []
