# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C: at once outside what is held, at the end of it inside, and a second time always at once."""

import signal
import threading

import pytest
from support.training import press

from fastrnn.training._loop.interrupts import AgreedInterrupts, Interrupts

pytestmark = pytest.mark.usefixtures("interruptible")


def test_outside_it_is_at_once():
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupts():
        press()
        done.append("after")
    assert done == []


def test_inside_it_waits_for_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        with interrupts.held():
            press()
            done.append("whole")
        done.append("after")
    assert done == ["whole"]


def test_the_second_time_it_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        with interrupts.held():
            press()
            done.append("first")
            press()
            done.append("second")
    assert done == ["first"]


def test_an_error_inside_is_what_comes_out():
    with pytest.raises(ValueError, match="of its own"), Interrupts() as interrupts:
        with interrupts.held():
            press()
            raise ValueError("of its own")


def test_the_handler_is_put_back():
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_handler_of_somebody_else_stays():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append("theirs"))
    try:
        with Interrupts() as interrupts, interrupts.held():
            press()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["theirs"]


def test_in_another_thread_it_does_nothing():
    done = []

    def work():
        with Interrupts() as interrupts, interrupts.held():
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]


def test_several_processes_agree_where_they_stop():
    """The first time it is only noted; the second time it is at once."""
    done = []
    with pytest.raises(KeyboardInterrupt), AgreedInterrupts() as interrupts:
        assert not interrupts.pressed
        press()
        with interrupts.held():
            done.append("held")
        done.append("after")
        assert interrupts.pressed
        press()
        done.append("second")
    assert done == ["held", "after"]
