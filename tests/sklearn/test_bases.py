# SPDX-License-Identifier: BSD-3-Clause
"""What type checkers are told about scikit-learn's base classes is what these are."""

import ast
import inspect
from pathlib import Path

import sklearn.base

from fastrnn.sklearn import _bases


def test_methods_have_the_parameters_that_type_checkers_see():
    tree = ast.parse(Path(_bases.__file__).read_text())
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert [node.name for node in classes] == _bases.__all__
    for node in classes:
        kind = getattr(sklearn.base, node.name)
        assert getattr(_bases, node.name) is kind
        for method in node.body:
            others = [method.args.kwarg] if method.args.kwarg else []
            seen = [argument.arg for argument in [*method.args.args, *others]]
            assert seen == list(inspect.signature(getattr(kind, method.name)).parameters)
