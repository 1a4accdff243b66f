# SPDX-License-Identifier: BSD-3-Clause
"""Imports go down the floors of the package, never up and never in circles."""

import ast
import graphlib
from pathlib import Path

import pytest

import fastrnn

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "fastrnn"
BENCHMARKS = "benchmarks"  # a program that is shipped in the package; in some checkouts a link to ../../benchmarks

# From the ground up: each may import those before it. Those in one row do not know each other.
FLOORS = [
    {"_core"},
    {"_engine", "_deprecation", "_lazy"},
    {"nn"},
    {"decoding", "distributed", "init", "losses", "optim", "io"},
    {"training"},
    {"__init__"},
    {"export", "inspect", "optuna", "sklearn", "torch"},
    {"aeon", "sktime"},
]
STAND_ALONE = {"reference"}  # the oracle shares no code with what it judges
MODULES = [path for path in PACKAGE.rglob("*.py") if BENCHMARKS not in path.relative_to(PACKAGE).parts]


def dotted(path):
    """The name of a module inside the package: "nn._linear"; "" is the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {dotted(path) for path in MODULES} | {"_core"}


def top(name):
    """The floor's entry that a module belongs to."""
    return name.partition(".")[0] or "__init__"


def imports_of(path):
    """Modules of the package, and packages outside it, that a file imports when it is loaded or called.

    What is imported for a type checker alone does not count, nor the package's version.
    """
    name = dotted(path)
    home = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    home = [part for part in home if part]
    inside, outside = set(), set()
    for node in walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            outside |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            outside.add(node.module.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = [*home[: len(home) + 1 - node.level], *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                full = ".".join((*base, alias.name))
                target = full if full in NAMES else ".".join(base)
                if alias.name != "__version__":
                    inside.add(target)
    return inside, outside


def walk(node):
    """All nodes but those under ``if TYPE_CHECKING:``."""
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(child, ast.If)
            and "TYPE_CHECKING" in ast.unparse(child.test)
            and "not" not in ast.unparse(child.test)
        ):
            continue
        yield child
        yield from walk(child)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_module_imports_only_what_stands_below_it(path):
    name = dotted(path)
    if top(name) in STAND_ALONE:
        return
    level = next(k for k, floor in enumerate(FLOORS) if top(name) in floor)
    below = set().union(*FLOORS[:level]) | {top(name)}
    assert {top(target) for target in imports_of(path)[0]} - below == set()


def test_every_module_stands_on_a_floor():
    known = set().union(*FLOORS) | STAND_ALONE
    assert {top(name) for name in NAMES} == known


def test_imports_form_no_circle():
    """There is an order of the modules in which each imports earlier ones only; a package is not its modules."""
    graph = {dotted(path): imports_of(path)[0] - {dotted(path)} for path in MODULES}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("_core") < order.index("nn._layer") < order.index("nn")


def test_only_the_engine_reaches_the_bindings():
    users = {dotted(path) for path in MODULES if "_core" in imports_of(path)[0]}
    assert {name for name in users if top(name) != "_engine"} <= {""}


@pytest.mark.parametrize("library", ["aeon", "optuna", "sklearn", "sktime", "torch"])
def test_only_its_bridge_imports_a_library(library):
    """What is an extra for one module is nobody else's; the module has its name."""
    assert {top(dotted(path)) for path in MODULES if library in imports_of(path)[1]} == {library}


def test_the_reference_stands_on_numpy_alone():
    for path in MODULES:
        if top(dotted(path)) == "reference":
            inside, outside = imports_of(path)
            assert {top(name) for name in inside} <= {"reference"}
            assert outside <= {"numpy", "collections", "functools", "math", "typing"}


def test_what_lies_in_a_public_package_is_private():
    """A public module is the package, or a package of it; its modules and folders begin with an underscore."""
    public = {name for name in NAMES if not any(part.startswith("_") for part in name.split("."))}
    assert public == {
        "",
        "aeon",
        "decoding",
        "distributed",
        "export",
        "init",
        "inspect",
        "io",
        "losses",
        "nn",
        "optim",
        "optuna",
        "reference",
        "sklearn",
        "sktime",
        "torch",
        "training",
    }


def test_every_public_module_lists_its_names():
    for path in MODULES:
        name = dotted(path)
        if path.stem == "__init__" and not any(part.startswith("_") for part in name.split(".")):
            assert "__all__" in path.read_text(), name
    assert set(fastrnn.__all__) <= set(dir(fastrnn))
