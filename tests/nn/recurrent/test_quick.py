# SPDX-License-Identifier: BSD-3-Clause
"""Small training steps take a shorter way, with the bits and the errors of the general one."""

import threading

import numpy as np
import pytest
from support.layers import assert_same_bits, flat
from support.recurrent import make_layer, random_state

import fastrnn as fr
from fastrnn.nn._recurrent.quick import QuickTape

T, N, I, H = 6, 3, 4, 5
SHAPES = [{}, {"num_layers": 3}, {"bidirectional": True, "num_layers": 2}, {"bias": False}, {"batch_first": True}]


def sequence(rng, layer, batched=True):
    if not batched:
        return rng.standard_normal((T, I)).astype(layer.dtype)
    return rng.standard_normal((N, T, I) if layer.batch_first else (T, N, I)).astype(layer.dtype)


def passed(layer, x, state, dstate, lengths=None):
    """y, the state, the gradients, and the kind of tape."""
    layer.zero_grad()
    y, final, tape = layer.forward(x, state, lengths=lengths)
    kind = type(tape)
    dy = np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)
    return [y, final, layer.backward(tape, dy, dstate), [grad.copy() for grad in layer.grads.values()]], kind


@pytest.mark.parametrize("options", SHAPES, ids=str)
@pytest.mark.parametrize("with_states", [False, True])
def test_the_bits_are_those_of_the_general_way(cell, dtype, options, with_states, rng):
    layer = make_layer(cell, I, H, seed=1, dtype=dtype, **options)
    states = [random_state(layer, N, rng) if with_states else None for _ in range(2)]
    x = sequence(rng, layer)
    quick, kind = passed(layer, x, *states)
    general, other = passed(layer, x, *states, lengths=[T] * N)
    assert (kind is QuickTape, other is QuickTape) == (True, False)
    assert_same_bits(quick, general)


def test_an_unbatched_sequence_is_a_batch_of_one(cell, rng):
    layer = make_layer(cell, I, H, num_layers=2, seed=1)
    x = sequence(rng, layer, batched=False)
    (y, final, (dx, dinitial), grads), kind = passed(layer, x, None, None)
    (y_1, final_1, (dx_1, dinitial_1), grads_1), _ = passed(layer, x[:, None], None, None, lengths=[T])
    assert kind is QuickTape
    one = [y_1[:, 0], *(part[:, 0] for part in flat([final_1])), dx_1[:, 0], *(p[:, 0] for p in flat([dinitial_1]))]
    assert_same_bits(flat([y, final, dx, dinitial, grads]), [*map(np.ascontiguousarray, one), *grads_1])


@pytest.mark.parametrize(
    "options",
    [{"dropout": 0.2, "num_layers": 2}, {"zoneout": 0.1}, {"recurrent_dropout": 0.1}, {"weight_drop": 0.1},
     {"delta_clip": 1.0}, {"recompute": True}, {"learn_initial_state": True}],
)  # fmt: skip
def test_options_that_act_on_a_pass_take_the_general_way(options, rng):
    layer = fr.GRU(I, H, seed=0, **options)
    assert passed(layer, sequence(rng, layer), None, None)[1] is not QuickTape
    assert passed(fr.RNN(I, H, seed=0, omega=0.1), sequence(rng, layer), None, None)[1] is not QuickTape
    assert passed(fr.RNN(I, H, seed=0, leak=0.5), sequence(rng, layer), None, None)[1] is not QuickTape


def test_a_subclass_with_passes_of_its_own_keeps_them(rng):
    class Doubled(fr.GRU):
        def _backward(self, saved, dy, dstate, extras):
            dx, dinitial = super()._backward(saved, dy, dstate, extras)
            return 2 * dx, dinitial

    layer, x = fr.GRU(I, H, seed=0), rng.standard_normal((T, N, I)).astype(np.float32)
    assert_same_bits(passed(Doubled(I, H, seed=0), x, None, None)[0][2][0], 2 * passed(layer, x, None, None)[0][2][0])


@pytest.mark.parametrize("name", ["x", "y", "h_0", "gates", "c"])
def test_what_a_tape_holds_can_be_looked_at(name, rng):
    """And the tape serves afterwards; both ways hold the same values."""
    layer = fr.LSTM(I, H, num_layers=2, bidirectional=True, seed=0)
    x, state = sequence(rng, layer), random_state(layer, N, rng)
    _, _, tape = layer.forward(x, state)
    _, _, general = layer.forward(x, state, lengths=[T] * N)
    ((_, trained),), ((_, other),) = tape._content, general._content
    for k in range(4):
        assert_same_bits(
            np.ascontiguousarray(getattr(trained.kept.saved(k), name)),
            np.ascontiguousarray(getattr(other.kept.saved(k), name)),
        )
    dy = np.ones((T, N, 2 * H), np.float32)
    assert_same_bits(layer.backward(tape, dy), layer.backward(general, dy))


def test_gradients_out_of_the_ordinary_take_the_general_way(rng):
    """Strided, read-only, as a list, or absent: with the same results."""
    layer = fr.LSTM(I, H, seed=0)
    x, dy = sequence(rng, layer), rng.standard_normal((T, N, H)).astype(np.float32)
    dstate = random_state(layer, N, rng)
    expected = layer.backward(layer.forward(x)[2], dy, dstate)
    wide = np.zeros((T, N, 2 * H), np.float32)
    wide[..., ::2] = dy
    frozen = dy.copy()
    frozen.flags.writeable = False
    for given in (wide[..., ::2], frozen, dy.tolist(), np.asfortranarray(dy)):
        assert_same_bits(layer.backward(layer.forward(x)[2], given, dstate), expected)
    only_state = layer.backward(layer.forward(x)[2], None, dstate)
    assert_same_bits(only_state, layer.backward(layer.forward(x)[2], np.zeros_like(dy), dstate))


@pytest.mark.parametrize(
    ("dy", "dstate", "message"),
    [
        (np.ones((T, N, H + 1), np.float32), None, "dy: expected"),
        (np.ones((T, N, H), np.float64), None, "dy: expected float32"),
        (None, None, "dy: expected an array"),
        (np.ones((T, N, H), np.float32), np.ones((1, N, H + 1), np.float32), "dstate: expected"),
    ],
)
def test_wrong_gradients_are_named_and_leave_the_tape(dy, dstate, message, rng):
    layer = fr.GRU(I, H, seed=0)
    y, _, tape = layer.forward(sequence(rng, layer))
    with pytest.raises((TypeError, ValueError), match=message):
        layer.backward(tape, dy, dstate)
    assert not any(grad.any() for grad in layer.grads.values())
    layer.backward(tape, np.ones_like(y))


def test_a_tape_is_used_once_and_by_its_layer(rng):
    layer, other = fr.GRU(I, H, seed=0), fr.GRU(I, H, seed=0)
    y, _, tape = layer.forward(sequence(rng, layer))
    with pytest.raises(ValueError, match="tape: expected one that this GRU made"):
        other.backward(tape, np.ones_like(y))
    layer.backward(tape, np.ones_like(y))
    grads = [grad.copy() for grad in layer.grads.values()]
    with pytest.raises(ValueError, match="tape: it has been used"):
        layer.backward(tape, np.ones_like(y))
    assert_same_bits([*layer.grads.values()], grads)


def test_gradients_that_cannot_be_written_are_named(rng):
    layer = fr.GRU(I, H, seed=0)
    y, _, tape = layer.forward(sequence(rng, layer))
    layer.grads["weight_hh_l0"].flags.writeable = False
    with pytest.raises(ValueError, match=r"grads\['weight_hh_l0'\]: expected an array that can be written"):
        layer.backward(tape, np.ones_like(y))


def test_the_memory_of_a_tape_is_used_again_by_the_next(rng):
    layer, dy = fr.LSTM(I, H, seed=0), np.ones((T, N, H), np.float32)

    def memory_of_a_step():
        tape = layer.forward(sequence(rng, layer))[2]
        memory = tape.kept.memory
        layer.backward(tape, dy)
        return memory

    assert memory_of_a_step() is memory_of_a_step()
    waiting = layer.forward(sequence(rng, layer))[2]
    assert memory_of_a_step() is not waiting.kept.memory


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"bidirectional": True}], ids=str)
def test_its_layers_share_no_memory_afterwards(cell, options, rng):
    """A gradient that is a view takes the general way back, which leaves the memory of tapes to the next ones."""
    layer, fresh = (make_layer(cell, 3, 5, seed=0, **options) for _ in range(2))
    x, state = rng.standard_normal((4, 2, 3)).astype(np.float32), random_state(layer, 2, rng)
    small = layer.forward(x[:, :1])
    assert type(small[-1]) is QuickTape
    view = state[:, :1] if isinstance(state, np.ndarray) else tuple(part[:, :1] for part in state)
    layer.backward(small[-1], np.ones_like(small[0]), view)
    results = []
    for one in (layer, fresh):
        y, _, tape = one.forward(x, state, [4, 2])
        results.append(one.backward(tape, np.ones_like(y), state)[0])
    assert_same_bits(*results)


def test_many_tapes_are_open_at_once(rng):
    """Each has memory of its own, in any order of use, and the weights of its own forward pass."""
    layer = fr.LSTM(I, H, seed=0)
    xs = [sequence(rng, layer) for _ in range(3)]
    dy, expected, tapes = np.ones((T, N, H), np.float32), [], []
    for x in xs:
        layer.params["weight_hh_l0"][...] *= 1.5
        expected.append(layer.backward(layer.forward(x)[2], dy))
        tapes.append(layer.forward(x)[2])
    for k in (1, 0, 2):
        assert_same_bits(layer.backward(tapes[k], dy), expected[k])


def test_threads_train_on_copies_and_call_one_layer(rng):
    """Tapes of one layer that several threads make at once do not share memory."""
    layer, x = fr.GRU(I, H, seed=0), rng.standard_normal((T, N, I)).astype(np.float32)
    dy, expected, wrong = np.ones((T, N, H), np.float32), [], []
    expected = flat(layer.backward(layer.forward(x)[2], dy))
    lock = threading.Lock()

    def work():
        for _ in range(100):
            tape = layer.forward(x)[2]
            with lock:  # backward adds into grads: one at a time
                found = flat(layer.backward(tape, dy))
            wrong.extend(1 for a, b in zip(found, expected, strict=True) if a.tobytes() != b.tobytes())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
