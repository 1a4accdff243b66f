# SPDX-License-Identifier: BSD-3-Clause
"""Docstrings that are completed say all that they should, in the order of numpydoc."""

import re

import pytest

from fastrnn import inspect
from fastrnn.inspect._documented import documented

ORDER = ["Parameters", "Returns", "Raises", "See Also", "Notes", "Examples"]
GRADIENTS = [
    "influence", "integrated_gradients", "occlusion", "state_jacobians", "singular_values", "jacobian_norms",
    "lyapunov_exponents", "gradient_flow", "diagnose",
]  # fmt: skip
PLOTS = [name for name in inspect.__all__ if name.startswith("plot_")]


def sections(function):
    return re.findall(r"^(\w[\w ]+)\n-+$", function.__doc__, re.MULTILINE)


def test_text_is_added_to_the_parameters_and_before_the_notes():
    @documented(first="\na : int", last="\n\nReturns\n-------\nint")
    def function(a, b):
        """Add.

        Parameters
        ----------
        b : int

        Notes
        -----
        Quickly.
        """

    parts = "Add.", "Parameters\n----------\na : int\nb : int", "Returns\n-------\nint", "Notes\n-----\nQuickly."
    assert function.__doc__ == "\n\n".join(parts)


@pytest.mark.parametrize("name", [*PLOTS, *GRADIENTS])
def test_public_docstrings_are_complete(name):
    function = getattr(inspect, name)
    assert [section for section in ORDER if section in sections(function)] == sections(function)
    assert {"Parameters", "Returns", "Raises"} <= set(sections(function))
    parameters = function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount]
    before = function.__doc__[: function.__doc__.index("\nReturns\n")]
    for parameter in parameters:
        assert re.search(rf"^(?:\w+, )*{parameter}(?:, \w+)* : ", before, re.MULTILINE), parameter


def test_methods_of_the_recorder_are_complete_too():
    for method in inspect.FlowRecorder.plot, inspect.FlowRecorder.plot_norms:
        assert sections(method)[:3] == ["Parameters", "Returns", "Raises"] and "\nax : " in method.__doc__
