# SPDX-License-Identifier: BSD-3-Clause
"""What follows from the declaration of options: constructor, signature, attributes, config, repr, docstring."""

import inspect
from dataclasses import KW_ONLY

import numpy as np
import pytest
from support.layers import refused

from fastrnn._engine.arguments import POSITIVE
from fastrnn.nn._configurable import Configurable, options_of
from fastrnn.nn._options import Choice, DType, Flag, Number, OptionalNumber, Seed, Size


class Motor(Configurable):
    """Something that turns.

    Examples
    --------
    >>> Motor(3)
    Motor(poles=3, phases=3, rate=0.5, mode='on', dtype='float32')
    """

    poles: Size = Size("How many.")
    phases: Size = Size("How many of them.", default=3)
    _: KW_ONLY
    rate: Number = Number("Turns per second.", POSITIVE, default=0.5)
    mode: Choice = Choice("How.", ("on", "off"), default="on")
    limit: OptionalNumber = OptionalNumber("The largest rate.", POSITIVE, default=None, omit=True)
    dtype: DType = DType(default=np.float32)
    seed: Seed = Seed(default=None)

    def _setup(self, seed):
        self.first = seed.random()


class Geared(Motor):
    """A motor with another default and one more option."""

    gears: Size = Size("How many.", default=1)
    _: KW_ONLY
    rate: Number = Number("Turns per second, behind the gears.", POSITIVE, default=0.25)
    locked: Flag = Flag("Whether it stands.", default=False)


def test_arguments_go_by_position_and_by_name():
    for motor in (Motor(4, 2), Motor(4, phases=2), Motor(phases=2, poles=4)):
        assert (motor.poles, motor.phases, motor.rate, motor.mode, motor.limit) == (4, 2, 0.5, "on", None)
    assert Motor(4).phases == 3
    assert Motor(np.int64(4), rate=2).config()["rate"] == 2.0


def test_setup_receives_what_is_not_stored():
    assert Motor(4, seed=1).first == Motor(4, seed=1).first != Motor(4, seed=2).first
    assert "seed" not in vars(Motor(4, seed=1))


@pytest.mark.parametrize(
    ("positional", "named", "message"),
    [
        ((4, 2, 0.5), {}, "Motor: expected at most 2 positional arguments, got 3"),
        ((), {}, "Motor: expected poles, got none"),
        ((4,), {"poles": 5}, "Motor: expected one value for poles, got two"),
        (
            (4,),
            {"color": 1},
            "Motor: expected arguments of poles, phases, rate, mode, limit, dtype, seed, got 'color'",
        ),
    ],
    ids=["too many", "missing", "twice", "unknown"],
)
def test_arguments_that_do_not_fit_the_signature_are_refused(positional, named, message):
    with refused(TypeError) as caught:
        Motor(*positional, **named)
    assert str(caught.value) == message


def test_all_missing_arguments_are_named():
    class Pair(Configurable):
        left: Size = Size("One.")
        right: Size = Size("The other.")

    with refused(TypeError, "Pair: expected left and right, got none"):
        Pair()


def test_values_are_checked_in_the_order_of_declaration():
    with refused(ValueError, "poles: expected at least 1, got 0"):
        Motor(0, mode="no")
    with refused(ValueError, "mode: expected one of on, off, got 'no'"):
        Motor(1, mode="no")


def test_a_later_assignment_is_checked_and_converted():
    motor = Motor(4)
    motor.rate = 2
    assert motor.rate == 2.0 and type(motor.rate) is float
    with refused(ValueError, "rate: expected a finite number above 0, got -1"):
        motor.rate = -1
    assert motor.rate == 2.0
    motor.color = "red"  # no option: any attribute
    assert motor.color == "red"


def test_config_gives_an_equal_object_back():
    for motor in (Motor(4), Motor(4, 1, rate=3.0, limit=7.0, dtype=np.float64), Geared(4, 1, 2, locked=True)):
        again = type(motor)(**motor.config())
        assert again.config() == motor.config() and repr(again) == repr(motor)


def test_an_option_that_is_omitted_appears_once_it_is_not_the_default():
    assert "limit" not in Motor(4).config() and "limit=" not in repr(Motor(4))
    assert Motor(4, limit=2).config()["limit"] == 2.0


def test_repr_is_the_call_that_makes_an_equal_object():
    assert repr(Motor(4)) == "Motor(poles=4, phases=3, rate=0.5, mode='on', dtype='float32')"


def test_a_subclass_adds_options_and_changes_those_of_its_base_in_their_place():
    assert list(options_of(Geared)) == [*options_of(Motor), "gears", "locked"]
    assert Geared(4, gears=2).rate == 0.25 and Motor(4).rate == 0.5
    geared = Geared(4, 3, 2)
    assert (geared.poles, geared.phases, geared.gears) == (4, 3, 2)


def test_the_signature_is_that_of_the_declaration():
    expected = inspect.signature(
        lambda poles, phases=3, *, rate=0.5, mode="on", limit=None, dtype=np.float32, seed=None: None
    )
    assert inspect.signature(Motor) == expected
    assert str(inspect.signature(Geared)).startswith("(poles, phases=3, gears=1, *, rate=0.25")


def test_a_constructor_of_its_own_has_its_own_signature():
    class Plain(Configurable):
        def __init__(self, *names, size=1):
            self.names, self.size = names, size

    assert str(inspect.signature(Plain)) == "(*names, size=1)"


def test_the_docstring_has_a_section_of_parameters_before_the_other_sections():
    sections = inspect.getdoc(Motor).split("\n\n")
    assert sections[0] == "Something that turns."
    assert sections[1] == "\n".join(
        [
            "Parameters",
            "----------",
            "poles : int",
            "    How many.",
            "phases : int, default 3",
            "    How many of them.",
            "rate : float, default 0.5",
            "    Turns per second.",
            "mode : {'on', 'off'}, default 'on'",
            "    How.",
            "limit : float or None, default None",
            "    The largest rate.",
            "dtype : {np.float32, np.float64}, default np.float32",
            "    The dtype of parameters, inputs and outputs.",
            "seed : int, Generator or None, default None",
            "    Seed of the initial parameters.",
        ]
    )
    assert sections[2].startswith("Examples")
    assert "rate : float, default 0.25\n    Turns per second, behind the gears." in inspect.getdoc(Geared)


# -- attributes that are not arguments, and options behind those of subclasses ---------------------------------------


class Counter(Configurable):
    """Something that counts."""

    step: Size = Size("Added each time.", default=1, last=True)
    count: Size = Size("How often.", low=0, default=0, init=False)
    best: Number = Number("The best rate.", POSITIVE, init=False)


class Named(Counter):
    name: Choice = Choice("Whose it is.", ("a", "b"))


class Ordered(Counter):
    step: Size = Size("Added each time.", default=2)
    name: Choice = Choice("Whose it is.", ("a", "b"), default="a")


def test_an_attribute_that_is_no_argument_is_checked_all_the_same():
    counter = Counter()
    assert counter.count == 0 and "best" not in vars(counter)
    counter.count, counter.best = 3, 1
    assert (counter.count, counter.best) == (3, 1.0)
    with refused(ValueError, "count: expected at least 0, got -1"):
        counter.count = -1
    with refused(TypeError, "Counter: expected arguments of step, got 'count'"):
        Counter(count=3)
    assert counter.config() == {"step": 1}
    assert "count :" not in Counter.__doc__ and "step : int, default 1" in Counter.__doc__


def test_an_option_may_stand_behind_those_of_subclasses():
    assert str(inspect.signature(Named)) == "(name, step=1)"
    assert str(inspect.signature(Ordered)) == "(step=2, name='a')"
    assert repr(Named("b", 4)) == "Named(name='b', step=4)"
