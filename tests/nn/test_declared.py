# SPDX-License-Identifier: BSD-3-Clause
"""What every class with declared options has: their order, attributes that come later, and a docstring."""

import abc
import pydoc

import pytest

from fastrnn.nn._declared import Attribute, Declared, later, signature_of, with_sections
from fastrnn.nn._option import KW_ONLY
from fastrnn.nn._options import OptionalSize, Size


class First(Declared):
    a: Size = Size("A.", default=1)
    _: KW_ONLY
    z: Size = Size("Z.", default=1, last=True)


class Second(Declared):
    b: Size = Size("B.", default=2)
    found_: Attribute[int] = later("int", "What was found.")


class Both(Second, First):
    """Two at once."""

    _: KW_ONLY
    c: OptionalSize = OptionalSize("C.", default=3)


def test_options_stand_in_the_order_of_a_dataclass():
    assert str(signature_of(Both._options)) == "(a=1, b=2, *, c=3, z=1)"


def test_an_option_that_may_be_none_takes_it_whatever_its_default():
    assert Both._options["c"].check("c", None) is None and Both._options["c"].type_text == "int or None"
    with pytest.raises(TypeError, match="a: expected"):
        Both._options["a"].check("a", None)


def test_another_default_is_another_option():
    other = Both.c.with_default(7)
    assert (other.default, Both.c.default, other.doc) == (7, 3, "C.")


def test_an_attribute_is_not_there_before_it_is_set():
    both = Both()
    assert not hasattr(both, "found_")
    both.found_ = 5
    assert both.found_ == 5 and Both.found_.type_text == "int"


def test_the_docstring_has_options_and_attributes():
    assert "c : int or None, default 3\n    C.\n" in Both.__doc__
    assert Both.__doc__.endswith("\nAttributes\n----------\nfound_ : int\n    What was found.\n")


def test_help_shows_the_docstring_of_a_class_with_a_metaclass_too():
    class Abstract(Both, metaclass=abc.ABCMeta):
        """An abstract class."""

    for each in (Both, Abstract):
        shown = pydoc.plain(pydoc.render_doc(each))
        assert (
            f" |  {each.__doc__.splitlines()[0]}\n" in shown and " |  c : int or None, default 3\n |      C.\n" in shown
        )


def test_a_section_is_placed_as_numpydoc_orders_them():
    doc = with_sections("One.\n\nReturns\n-------\nint\n\nNotes\n-----\nMore.", {"Raises": ["ValueError"]})
    assert doc == "One.\n\nReturns\n-------\nint\n\nRaises\n------\nValueError\n\nNotes\n-----\nMore."
