# SPDX-License-Identifier: BSD-3-Clause
"""What comes of a rank: a result, or why there is none, which the process that waits can read in any case."""

import re

import pytest
from support import short_ranks

import fastrnn as fr
from fastrnn.distributed._rank import as_picklable

UNUSUAL = {  # functions that end in other ways than by a result or an exception, and what their caller is told
    short_ranks.no_result: (TypeError, "a result that can be pickled, got method (communicator: expected "),
    short_ranks.result_of_no_use: (TypeError, "a result that can be unpickled, got from rank 1 AttributeError"),
    short_ranks.leave: (RuntimeError, "SystemExit: 0"),
}


@pytest.mark.parametrize("function", UNUSUAL, ids=lambda function: function.__name__)
def test_the_reason_is_told(function):
    """A program that a rank ends as if all were well would else end so."""
    kind, text = UNUSUAL[function]
    with pytest.raises(kind, match=re.escape(text)) as caught:
        fr.distributed.run(function, processes=2)
    assert caught.type is kind


def test_a_rank_without_output_has_a_result():
    assert fr.distributed.run(short_ranks.close_stdout, processes=1) == [0]


def test_errors_that_cannot_be_sent_are_some_in_words():
    """Or would end the process that reads them; Ctrl-C stays what it is."""
    assert isinstance(as_picklable(KeyboardInterrupt()), KeyboardInterrupt)
    for error in short_ranks.Odd("this", "that"), SystemExit(3), GeneratorExit("end"):
        sent = as_picklable(error)
        assert type(sent) is RuntimeError and str(sent) == f"{type(error).__name__}: {error}"
    error = as_picklable(ValueError("a", 1))
    assert type(error) is ValueError and error.args == ("a", 1)
