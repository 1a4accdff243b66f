# SPDX-License-Identifier: BSD-3-Clause
"""An option, whatever its kind: what its class says of it, defaults, None, and values from files."""

import pytest
from support.layers import refused

from fastrnn.nn._option import REQUIRED, Converted, Option


class Word(Option[str, str]):
    """A kind of option: any string, in lower case."""

    type_text = "str"
    json_types = (str,)

    def _check(self, name, value):
        if not isinstance(value, str):
            raise TypeError(f"{name}: expected str, got {value!r}")
        return value.lower()


def test_without_a_default_an_option_is_required():
    assert Word("").default is REQUIRED and repr(REQUIRED) == "required"
    assert Word("", default="a").default == "a"


def test_a_kind_of_option_checks_and_converts():
    assert Word("").check("n", "A") == "a"
    with refused(TypeError, "n: expected str, got 1"):
        Word("").check("n", 1)


def test_none_is_a_value_only_where_it_is_the_default():
    assert Word("", default=None).check("n", None) is Word("", default=None).parse("what", None) is None
    assert Word("", default=None).type_text == "str or None" and Word("", default="a").type_text == "str"
    for option in (Word(""), Word("", default="a")):
        with refused(TypeError, "n: expected str, got None"):
            option.check("n", None)
        with refused(ValueError, "what: expected str, got None"):
            option.parse("what", None)


@pytest.mark.parametrize("value", [1, ["a"], {}, True, b"a"], ids=repr)
def test_a_file_may_hold_the_types_of_the_option_only(value):
    assert Word("").parse("what", "a") == "a"
    with refused(ValueError, f"what: expected str, got {value!r}"):
        Word("").parse("what", value)


def test_a_giant_value_in_a_file_is_shortened_in_the_message():
    with refused(ValueError, "what: expected str, got ") as caught:
        Word("").parse("what", ["x" * 10**6])
    assert len(str(caught.value)) < 100


def test_a_function_may_check_and_convert():
    def as_pair(name, value):
        if len(value) != 2:
            raise ValueError(f"{name}: expected two, got {value!r}")
        return tuple(value)

    option = Converted("A pair.", "list", as_pair)
    assert option.check("n", [1, 2]) == (1, 2) and option.type_text == "list" and option.in_config
    assert option.plain((1, 2)) == [1, 2]  # as JSON has it
    with refused(ValueError, "n: expected two, got [1]"):
        option.check("n", [1])
    assert not Converted("", "list", as_pair, in_config=False).in_config
    assert Converted("", "list", as_pair, default=None).check("n", None) is None
