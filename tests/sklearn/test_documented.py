# SPDX-License-Identifier: BSD-3-Clause
"""Docstrings: every parameter is there once, with the default that it has."""

import inspect
import re

import pytest
from support.sklearn import ESTIMATORS

from fastrnn.sklearn._documented import documented


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_every_parameter_is_documented_with_its_default(kind):
    parameters, _, rest = kind.__doc__.partition("Parameters\n----------\n")[2].partition("\nAttributes\n")
    entries = dict(re.findall(r"^(\w+) : .*?default (.*)$", parameters, re.MULTILINE))
    signature = inspect.signature(kind).parameters
    assert list(entries) == list(signature)
    assert {name: eval(text) for name, text in entries.items()} == {n: p.default for n, p in signature.items()}
    assert "model_ : Sequential" in rest and "n_features_in_ : int" in rest and "Examples\n" in rest


def test_entries_come_first_in_their_sections():
    class Example:
        """One.

        Parameters
        ----------

        Attributes
        ----------
        own : int
        """

    documented(("\na : int\n    A.\n",), ("\nb_ : int\n",))(Example)
    assert Example.__doc__ == (
        "One.\n\nParameters\n----------\na : int\n    A.\n\nAttributes\n----------\nb_ : int\nown : int"
    )
