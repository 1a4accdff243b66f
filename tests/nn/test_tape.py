# SPDX-License-Identifier: BSD-3-Clause
"""A tape is used once, by its own layer, and survives a gradient that is refused."""

import copy
import pickle
import threading

import numpy as np
import pytest
from support.every_layer import LAYERS, each, inputs
from support.layers import argument_refused, assert_same_arrays, assert_same_bits, snapshot
from support.recurrent import random_state, sequence, train

import fastrnn as fr

T, N, I, H = 5, 2, 3, 4


def test_a_tape_is_used_once(kind, rng):
    """The second backward is refused and adds nothing."""
    layer = kind(I, H, 2, seed=0)
    y, _, tape = layer.forward(sequence(rng, T, N, I))
    layer.backward(tape, np.ones_like(y))
    grads = snapshot(layer.grads)
    with argument_refused(ValueError, "tape", "used", "once"):
        layer.backward(tape, np.ones_like(y))
    assert_same_arrays(layer.grads, grads)


@pytest.mark.parametrize("tape", [None, (), "tape", 1, np.ones(3)], ids=lambda t: type(t).__name__)
def test_anything_but_a_tape_is_refused(kind, tape):
    layer = kind(I, H)
    with argument_refused(TypeError, "tape", f"{kind.__name__}.forward", f"got {type(tape).__name__}"):
        layer.backward(tape, np.ones((T, N, H), np.float32))


def test_the_tape_of_another_layer_is_refused_and_stays_good(kind, rng):
    """Even of a layer of the same class and sizes, or of another class."""
    layer, x = kind(I, H, seed=0), sequence(rng, T, N, I)
    y, _, tape = layer.forward(x)
    for other in (kind(I, H, seed=0), fr.Linear(I, H), fr.Sequential(layer)):
        with argument_refused(ValueError, "tape", type(other).__name__, f"another {kind.__name__}"):
            other.backward(tape, np.ones_like(y))
        assert not any(grad.any() for grad in other.grads.values())
    layer.backward(tape, np.ones_like(y))


BAD_GRADIENTS = {
    "dy short": (
        "dy",
        np.ones((T - 1, N, H), np.float32),
        None,
        ValueError,
        f"got {(T - 1, N, H)}",
    ),
    "dy transposed": ("dy", np.ones((N, T, H), np.float32), None, ValueError, f"got {(N, T, H)}"),
    "dy scalar": ("dy", 1.0, None, ValueError, "got ()"),
    "dy double": ("dy", np.ones((T, N, H)), None, TypeError, "dy.astype(np.float32)"),
    "dy integers": ("dy", np.ones((T, N, H), int), None, TypeError, "got int64"),
    "dy None": ("dy", None, None, TypeError, "got None"),
    "dstate shape": (
        "dstate",
        None,
        np.ones((1, N, H), np.float32),
        ValueError,
        f"expected {(2, N, H)}, got {(1, N, H)}",
    ),
    "dstate double": ("dstate", None, np.ones((2, N, H)), TypeError, "got float64"),
    "dstate string": ("dstate", None, "abc", TypeError, "expected"),
}


@pytest.mark.parametrize("case", BAD_GRADIENTS.values(), ids=BAD_GRADIENTS)
def test_after_a_refused_gradient_the_tape_still_works(kind, case, rng):
    """Nothing was added to grads, and the next backward returns what it would have returned."""
    name, dy, dstate, error, word = case
    layer, other, x = kind(I, H, 2, seed=0), kind(I, H, 2, seed=0), sequence(rng, T, N, I)
    y, _, tape = layer.forward(x)
    if name == "dstate":
        dy, dstate = np.ones_like(y), (dstate, dstate) if kind is fr.LSTM else dstate
    with argument_refused(error, name, word):
        layer.backward(tape, dy, dstate)
    assert not any(grad.any() for grad in layer.grads.values())
    dx, dinitial = layer.backward(tape, np.ones_like(y))
    expected = train(other, x)
    assert_same_bits(dx, expected[2])
    assert_same_bits(dinitial, expected[3])
    assert_same_arrays(layer.grads, other.grads)


def test_a_tape_shows_its_layer_and_the_shape_of_its_output(kind, rng):
    layer = kind(I, H)
    y, _, tape = layer.forward(sequence(rng, T, N, I))
    assert repr(tape) == f"Tape({kind.__name__}, y (5, 2, 4))"
    layer.backward(tape, np.ones_like(y))
    assert repr(tape) == f"Tape({kind.__name__}, y (5, 2, 4), used)"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps], ids=lambda f: f.__name__)
def test_a_tape_is_not_copied(duplicate, kind, rng):
    """A copy would let one forward have two backward passes; and the tape still has its own."""
    layer = kind(I, H, seed=0)
    y, state, tape = layer.forward(sequence(rng, T, N, I))
    for holder in (tape, [y, state, tape]) if duplicate is not copy.copy else (tape,):
        with pytest.raises(TypeError, match="a tape cannot be copied or pickled: it belongs to one backward"):
            duplicate(holder)
    layer.backward(tape, np.ones_like(y))


@pytest.mark.parametrize("name", ["x", "y", "h_0", "gates"])
def test_a_tape_whose_arrays_were_reshaped_is_refused(kind, name, rng):
    """They are private, but somebody may reach them: C would go where the sizes of the forward pass say."""
    layer = kind(I, H, seed=0)
    state = random_state(layer, N, rng)
    y, _, tape = layer.forward(sequence(rng, T, N, I), state)
    dy = np.ones_like(y)
    ((_, trained),) = tape._content
    array = getattr(trained.kept.saved(0), name)
    array.shape = array.shape[::-1]
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        layer.backward(tape, dy)
    assert not any(grad.any() for grad in layer.grads.values())


def backward_in_threads(layer, tape, dy, count=4):
    """How many calls were done, and the messages of the others."""
    errors, done, together = [], [], threading.Barrier(count)

    def work():
        together.wait()
        try:
            done.append(layer.backward(tape, dy))
        except (ValueError, RuntimeError) as error:  # the tape was used, or is being used
            errors.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(done), errors


THREADED = ["LSTM", "Linear", "Residual", "Sequential", "AttentionDecoder", "Attention", "Seq2Seq"]


@pytest.mark.parametrize("name", THREADED)
def test_of_several_threads_one_uses_a_tape(name):
    """The others are refused, and the gradients are those of one backward."""
    make, x = LAYERS[name]
    layer, x = make(dtype=np.float32, seed=0), inputs((None, x))
    expected = None
    for _ in range(10):
        layer.zero_grad()
        y, *_, tape = layer.forward(*each(x))
        done, errors = backward_in_threads(layer, tape, np.ones_like(y))
        assert (done, len(errors)) == (1, 3)
        assert all("used by an earlier backward" in error or "one call at a time" in error for error in errors)
        expected = snapshot(layer.grads) if expected is None else expected
        assert_same_arrays(layer.grads, expected)
