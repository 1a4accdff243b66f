# SPDX-License-Identifier: BSD-3-Clause
"""Declared options that a constructor does not check, and docstrings that share entries."""

import inspect

import pytest

from fastrnn.nn._option import KW_ONLY
from fastrnn.nn._options import Flag, Size
from fastrnn.sklearn._options import Estimating, documented


class Base(Estimating):
    size: Size = Size("How large.", default=3)
    _: KW_ONLY
    big: Flag = Flag("Whether it is big.", default=False)


class Derived(Base):
    size: Size = Base.size.with_default(5)


def test_every_class_has_a_constructor_of_its_own():
    """In the signature of which scikit-learn, sktime and aeon look for the parameters."""
    assert str(inspect.signature(Base.__init__)) == "(self, size=3, *, big=False)"
    assert str(inspect.signature(Derived.__init__)) == "(self, size=5, *, big=False)"
    assert inspect.getfullargspec(Derived.__init__).varkw is None
    assert (Base().size, Derived().size, Derived(7, big=True).big) == (3, 5, True)


def test_options_are_checked_when_they_are_asked_for():
    thing = Derived(size=0)
    assert thing._checked("big") == {"big": False}
    with pytest.raises(ValueError, match="size: expected at least 1, got 0"):
        thing._checked()


def test_entries_come_first_in_their_sections():
    @documented(Parameters="\na : int\n    A.", Returns="self", Raises="\n    ValueError\n        Always.")
    def example(a, b):
        """One.

        Parameters
        ----------
        b : int

        Examples
        --------
        >>> example
        """

    assert example.__doc__.strip() == (
        "One.\n\nParameters\n----------\na : int\n    A.\nb : int\n\nReturns\n-------\nself\n\n"
        "Raises\n------\nValueError\n    Always.\n\nExamples\n--------\n>>> example"
    )
