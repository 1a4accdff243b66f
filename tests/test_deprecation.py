# SPDX-License-Identifier: BSD-3-Clause
"""A deprecated name warns the code that uses it."""

import re
from pathlib import Path

import pytest

from fastrnn._deprecation import deprecated


def old_name():
    deprecated("fastrnn.old_name()", instead="fastrnn.new_name()", since="0.2", removed_in="0.4")


def with_a_helper():
    helper()


def helper():
    deprecated("fastrnn.with_a_helper()", instead="nothing", since="0.2", removed_in="0.4", stacklevel=2)


def test_the_warning_says_until_when_it_works_and_what_to_use():
    text = "fastrnn.old_name() is deprecated since version 0.2 and will be removed in 0.4: use fastrnn.new_name()"
    with pytest.warns(DeprecationWarning, match=f"^{re.escape(text)}$"):
        old_name()


@pytest.mark.parametrize("call", [old_name, with_a_helper])
def test_the_warning_points_at_the_caller(call):
    with pytest.warns(DeprecationWarning) as record:
        call()
    line = Path(record[0].filename).read_text().splitlines()[record[0].lineno - 1]
    assert (record[0].filename, line.strip()) == (__file__, "call()")
