# SPDX-License-Identifier: BSD-3-Clause
"""_core.pyi says what is in the compiled module: names, parameters and their kinds, and a type for each.

The module tells the signatures of functions and methods. Those of constructors and of __call__ it does not tell: they
are read from the sources of the bindings.
"""

import ast
import inspect
import re
from pathlib import Path

import pytest

from fastrnn import _core

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "fastrnn"
STUB = ast.parse((PACKAGE / "_core.pyi").read_text())
KINDS = inspect.Parameter


def is_public(name):
    return not name.startswith("_") or name == "__version__"


def parameters(arguments):
    """(name, kind, has a default) of each parameter of an ast.arguments."""
    positional = [*arguments.posonlyargs, *arguments.args]
    first = len(positional) - len(arguments.defaults)
    kinds = [KINDS.POSITIONAL_ONLY] * len(arguments.posonlyargs) + [KINDS.POSITIONAL_OR_KEYWORD] * len(arguments.args)
    found = [(a.arg, kind, k >= first) for k, (a, kind) in enumerate(zip(positional, kinds, strict=True))]
    if arguments.vararg:
        found.append((arguments.vararg.arg, KINDS.VAR_POSITIONAL, False))
    defaults = [default is not None for default in arguments.kw_defaults]
    found += [(a.arg, KINDS.KEYWORD_ONLY, d) for a, d in zip(arguments.kwonlyargs, defaults, strict=True)]
    if arguments.kwarg:
        found.append((arguments.kwarg.arg, KINDS.VAR_KEYWORD, False))
    return found


def compiled(function):
    """The same of a function in the module."""
    empty = KINDS.empty
    return [(p.name, p.kind, p.default is not empty) for p in inspect.signature(function).parameters.values()]


def written(cls, *methods):
    """The same of the first of these methods that the source of a class has; None if it has none."""
    text = "\n".join(path.read_text() for path in sorted((PACKAGE / "_binding").glob("*.pxi")))
    body = re.search(rf"^cdef class {cls}(?:\(\w+\))?:\n(.*?)(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)[1]
    for method in methods:
        if found := re.search(rf"^    def {method}(\(.*?\)):$", body, re.DOTALL | re.MULTILINE):
            plain = found[1].replace(" not None", "")
            untyped = re.sub(r"([(,]\s*)[\w.]+ (?=\w)", r"\1", plain)  # "int cell" of Cython is "cell" here
            return parameters(ast.parse(f"def f{untyped}: ...").body[0].args)
    return None


def stub_nodes():
    nodes = {}
    for node in STUB.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            nodes[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            nodes[node.target.id] = node
    return {name: node for name, node in nodes.items() if is_public(name)}


NODES = stub_nodes()
FUNCTIONS = [name for name, node in NODES.items() if isinstance(node, ast.FunctionDef)]
CLASSES = [name for name, node in NODES.items() if isinstance(node, ast.ClassDef)]


def test_names_are_those_of_the_module():
    """All but what the module imports itself."""
    public = {name for name in vars(_core) if is_public(name)}
    own = {name for name in public if getattr(getattr(_core, name), "__module__", _core.__name__) == _core.__name__}
    assert NODES.keys() == own
    assert FUNCTIONS == [name for name in NODES if inspect.isroutine(getattr(_core, name))]
    assert CLASSES == [name for name in NODES if inspect.isclass(getattr(_core, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_parameters_of_its_stub(name):
    assert parameters(NODES[name].args) == compiled(getattr(_core, name))


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_the_members_of_its_stub(name):
    cls, members = getattr(_core, name), {node.name: node for node in NODES[name].body if hasattr(node, "name")}
    listed = {member for member in members if is_public(member)}
    assert listed == {member for member in vars(cls) if is_public(member)}
    for member in listed:
        if inspect.isroutine(vars(cls)[member]) and not inspect.isgetsetdescriptor(vars(cls)[member]):
            assert parameters(members[member].args) == compiled(vars(cls)[member])
        else:
            assert [ast.unparse(decorator) for decorator in members[member].decorator_list] == ["property"]
    special = {member: parameters(members[member].args) for member in ("__init__", "__call__") if member in members}
    found = {"__init__": written(name, "__init__", "__cinit__"), "__call__": written(name, "__call__")}
    own = [("self", KINDS.POSITIONAL_OR_KEYWORD, False)]  # a constructor of no arguments need not be listed
    assert special == {member: given for member, given in found.items() if given and given != own}


def test_everything_has_a_type():
    """Every parameter but self, and every result; none of them is Any."""
    functions = [node for node in ast.walk(STUB) if isinstance(node, ast.FunctionDef)]
    for node in functions:
        arguments = [*node.args.args, *node.args.kwonlyargs, *filter(None, (node.args.vararg, node.args.kwarg))]
        assert node.returns is not None, node.name
        assert [a.arg for a in arguments if a.annotation is None and a.arg != "self"] == [], node.name
    assert not any(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(STUB))


def test_values_have_the_types_of_the_stub():
    """What can be seen at run time: the names and the shape of a cell's entry."""
    assert all(isinstance(getattr(_core, name), dict) for name in ("CELLS", "ACTS", "PROBES", "RULES"))
    types = (int, int, int, bool, bool, tuple, tuple, str | None)
    for values in _core.CELLS.values():
        assert len(values) == len(types) and all(map(isinstance, values, types))
