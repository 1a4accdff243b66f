# SPDX-License-Identifier: BSD-3-Clause
"""Each kind of option: what it takes, what it refuses and with which message, and how files hold it."""

import numpy as np
import pytest
from support.layers import refused

import fastrnn as fr
from fastrnn._engine.arguments import FRACTION, POSITIVE
from fastrnn.nn import _options as options

GRU = fr.GRU(2, 3, seed=0)
KINDS = {
    "size": options.Size("", default=1),
    "size from 0": options.Size("", low=0),
    "optional size": options.OptionalSize("", default=None),
    "flag": options.Flag("", default=False),
    "number": options.Number("", FRACTION, default=1.0),
    "optional number": options.OptionalNumber("", POSITIVE, default=None),
    "choice": options.Choice("", ("tanh", "relu"), default="tanh"),
    "dtype": options.DType(default=np.float32),
    "probability": options.Probabilities("", ("h",), default=0.0),
    "probabilities": options.Probabilities("", ("h", "c"), default=0.0),
    "layer": options.Sublayer("", fr.GRU, fr.LSTM),
    "optional layer": options.Sublayer("", fr.Linear, default=None),
    "argument": options.Argument("", "object"),
}
ACCEPTED = [  # kind, value, the value of the attribute
    ("size", np.int64(3), 3),
    ("size from 0", 0, 0),
    ("optional size", None, None),
    ("optional size", 7, 7),
    ("flag", np.True_, True),
    ("number", 1, 1.0),
    ("number", np.float32(0.5), 0.5),
    ("optional number", None, None),
    ("optional number", 2, 2.0),
    ("choice", "relu", "relu"),
    ("dtype", float, np.dtype(np.float64)),
    ("dtype", "f4", np.dtype(np.float32)),
    ("probability", 0.5, (0.5,)),
    ("probability", [0], (0.0,)),
    ("probabilities", 0.5, (0.5, 0.5)),
    ("probabilities", (0.1, 0.2), (0.1, 0.2)),
    ("layer", GRU, GRU),
    ("optional layer", None, None),
    ("argument", ..., ...),
]
REFUSED = [  # kind, value, error, message
    ("size", 0, ValueError, "n: expected at least 1, got 0"),
    ("size", 1.0, TypeError, "n: expected an integer, got 1.0"),
    ("size", True, TypeError, "n: expected an integer, got True"),
    ("size", None, TypeError, "n: expected an integer, got None"),
    ("size from 0", -1, ValueError, "n: expected at least 0, got -1"),
    ("optional size", 0, ValueError, "n: expected at least 1, got 0"),
    ("flag", 1, TypeError, "n: expected True or False, got 1"),
    ("flag", None, TypeError, "n: expected True or False, got None"),
    ("number", 0, ValueError, "n: expected a number in (0, 1], got 0"),
    ("number", "1", TypeError, "n: expected a number in (0, 1], got '1'"),
    ("number", None, TypeError, "n: expected a number in (0, 1], got None"),
    ("optional number", 0, ValueError, "n: expected a finite number above 0, got 0"),
    ("choice", "cos", ValueError, "n: expected one of tanh, relu, got 'cos'"),
    ("choice", None, ValueError, "n: expected one of tanh, relu, got None"),
    ("dtype", int, TypeError, "n: expected np.float32 or np.float64, got <class 'int'>"),
    ("dtype", None, TypeError, "n: expected np.float32 or np.float64, got None"),
    ("probability", 1, ValueError, "n: expected a probability in [0, 1), got 1"),
    ("probability", (0.1, 0.2), ValueError, "n: expected a probability or (h), got (0.1, 0.2)"),
    ("probabilities", (0.1, 1.0), ValueError, "n: expected a probability in [0, 1), got 1.0"),
    ("probabilities", (0.1,), ValueError, "n: expected a probability or (h, c), got (0.1,)"),
    ("layer", fr.RNN(2, 3), TypeError, "n: expected GRU or LSTM, got RNN"),
    ("layer", fr.GRU, TypeError, "n: expected GRU or LSTM, got the class GRU"),
    ("layer", None, TypeError, "n: expected GRU or LSTM, got NoneType"),
    ("optional layer", GRU, TypeError, "n: expected Linear or None, got GRU"),
]
PLAIN = [  # kind, the value of the attribute, what a file holds
    ("size", 3, 3),
    ("optional number", None, None),
    ("dtype", np.dtype(np.float64), "float64"),
    ("probability", (0.5,), 0.5),
    ("probabilities", (0.5, 0.5), 0.5),
    ("probabilities", (0.1, 0.2), [0.1, 0.2]),
    ("layer", GRU, {"type": "GRU", **GRU.config()}),
    ("optional layer", None, None),
]
REFUSED_IN_FILES = [  # kind, value, message
    ("size", 3.0, "what: expected int, got 3.0"),
    ("size", True, "what: expected int, got True"),
    ("size", 0, "what: expected at least 1, got 0"),
    ("flag", 1, "what: expected bool, got 1"),
    ("number", 1, "what: expected float, got 1"),
    ("number", 2.0, "what: expected a number in (0, 1], got 2.0"),
    ("number", None, "what: expected float, got None"),
    ("choice", "cos", "what: expected one of tanh, relu, got 'cos'"),
    ("dtype", "f4", "what: expected float32 or float64, got 'f4'"),
    ("dtype", "int8", "what: expected np.float32 or np.float64, got 'int8'"),
    ("probabilities", [0.1], "what: expected a probability or (h, c), got [0.1]"),
    ("probabilities", [0.1, "x"], "what: expected a probability in [0, 1), got 'x'"),
    ("layer", None, "what: expected dict, got None"),
    ("layer", [1], "what: expected dict, got [1]"),
]


def name_of(value):
    """A short name of a case."""
    return value if isinstance(value, str) else repr(value)[:20]


@pytest.mark.parametrize(("kind", "value", "expected"), ACCEPTED, ids=name_of)
def test_an_accepted_value_becomes_plain_python(kind, value, expected):
    checked = KINDS[kind].check("n", value)
    assert checked == expected and type(checked) is type(expected)


@pytest.mark.parametrize(("kind", "value", "error", "message"), REFUSED, ids=name_of)
def test_a_message_says_the_name_what_was_expected_and_what_came(kind, value, error, message):
    with refused(error) as caught:
        KINDS[kind].check("n", value)
    assert str(caught.value) == message


def test_a_seed_becomes_a_generator_and_no_attribute():
    seed = options.Seed(default=None)
    first, second = (seed.check("seed", 5).random(4) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    rng = np.random.default_rng(0)
    assert seed.check("seed", rng) is rng
    assert not seed.stored and not seed.in_config
    for value, error in ((-1, ValueError), ("a", TypeError)):
        with refused(error, f"seed: expected an integer of at least 0 or None, got {value!r}"):
            seed.check("seed", value)


@pytest.mark.parametrize(("kind", "value", "expected"), PLAIN, ids=name_of)
def test_a_file_holds_plain_data_that_is_read_back(kind, value, expected):
    option = KINDS[kind]
    assert option.plain(value) == expected
    assert option.parse("what", expected) == expected


@pytest.mark.parametrize(("kind", "value", "message"), REFUSED_IN_FILES, ids=name_of)
def test_what_no_layer_writes_is_refused_in_a_file(kind, value, message):
    """Always a ValueError: the file is wrong, not the caller."""
    with refused(ValueError) as caught:
        KINDS[kind].parse("what", value)
    assert str(caught.value) == message


def test_types_are_those_of_the_documentation():
    expected = {
        "size": "int",
        "optional size": "int or None",
        "number": "float",
        "optional number": "float or None",
        "choice": "{'tanh', 'relu'}",
        "dtype": "{np.float32, np.float64}",
        "probability": "float",
        "probabilities": "float or (h, c)",
        "layer": "GRU or LSTM",
        "optional layer": "Linear or None",
    }
    assert {kind: KINDS[kind].type_text for kind in expected} == expected
    assert options.Seed(default=None).type_text == "int, Generator or None"
