# SPDX-License-Identifier: BSD-3-Clause
"""stack.py: layers, directions, layouts, dropout, tapes, packed weights."""

import copy
import subprocess
import sys

import numpy as np
import pytest
from support.recurrent import as_state, as_tuple, make_layer, random_lengths, random_state, run_reference
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn.nn._tape import open_tape


def assert_same_state(actual, expected):
    for ours, theirs in zip(as_tuple(actual), as_tuple(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


# -- layers and layouts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [2, 3, 4])
def test_stacks_equal_the_reference(cell, num_layers, bidirectional, rng):
    layer = make_layer(cell, 4, 9, num_layers, bidirectional=bidirectional, dtype=np.float64, seed=3)
    x, lengths = rng.standard_normal((6, 5, 4)), random_lengths(6, 5, rng)
    state = random_state(layer, 5, rng)
    y, final = layer(x, state, lengths)
    expected, expected_final = run_reference(cell, layer, x, state, lengths)
    sizes = {"bidirectional": bidirectional, "terms": 18, "steps": 6 * num_layers}
    assert_close(y, expected, np.float64, **sizes)
    for ours, theirs in zip(as_tuple(final), as_tuple(expected_final), strict=True):
        assert_close(ours, theirs, np.float64, **sizes)


@pytest.mark.parametrize("lengths", [None, [9, 0, 4]])
def test_batch_first_is_the_same_sequence_transposed(cell, lengths, rng):
    plain = make_layer(cell, 3, 7, 2, bidirectional=True, seed=4)
    transposed = make_layer(cell, 3, 7, 2, bidirectional=True, seed=4, batch_first=True)
    x = rng.standard_normal((9, 3, 3)).astype(np.float32)
    y, state, tape = plain.forward(x, lengths=lengths)
    y_t, state_t, tape_t = transposed.forward(x.swapaxes(0, 1), lengths=lengths)
    np.testing.assert_array_equal(y_t, y.swapaxes(0, 1))
    assert_same_state(state_t, state)
    dx, dstate = plain.backward(tape, y)
    dx_t, dstate_t = transposed.backward(tape_t, y_t)
    np.testing.assert_array_equal(dx_t, dx.swapaxes(0, 1))
    assert_same_state(dstate_t, dstate)


def test_unbatched_is_a_batch_of_one(cell, rng):
    layer = make_layer(cell, 3, 7, 2, bidirectional=True, seed=4)
    x = rng.standard_normal((9, 3)).astype(np.float32)
    state = random_state(layer, 1, rng)
    y, final, tape = layer.forward(x, as_state(part[:, 0] for part in as_tuple(state)))
    y_1, final_1, tape_1 = layer.forward(x[:, None], state)
    np.testing.assert_array_equal(y, y_1[:, 0])
    assert_same_state(final, as_state(part[:, 0] for part in as_tuple(final_1)))
    dx, dstate = layer.backward(tape, y, final)
    dx_1, dstate_1 = layer.backward(tape_1, y_1, final_1)
    np.testing.assert_array_equal(dx, dx_1[:, 0])
    assert_same_state(dstate, as_state(part[:, 0] for part in as_tuple(dstate_1)))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("layout", ["time first", "batch first", "unbatched", "strided"])
@pytest.mark.parametrize("given", [False, True])
def test_a_small_call_has_the_bits_of_the_long_way(
    cell, dtype, num_layers, bidirectional, layout, given, rng
):  # fmt: skip
    """Lengths, even if every row is full, are what the short way leaves to the long one."""
    options = {"bidirectional": bidirectional, "batch_first": layout == "batch first", "dtype": dtype}
    layer = make_layer(cell, 5, 18, num_layers, seed=0, **options)
    x = rng.standard_normal((7, 3, 10)).astype(dtype)
    x = {"strided": x[::-2, ::2, 5:], "unbatched": x[:, 0, 5:]}.get(layout, x[:, :, :5].copy())
    N = 1 if layout == "unbatched" else x.shape[1] if layout != "batch first" else x.shape[0]
    T = x.shape[1 if layout == "batch first" else 0]
    state = random_state(layer, N, rng) if given else None
    if given and layout == "unbatched":
        state = as_state(part[:, 0] for part in as_tuple(state))
    y, final = layer(x, state)
    assert layer._fast_path(x, state) is not None
    expected, expected_final = layer(x, state, lengths=[T] * N)
    assert y.dtype == expected.dtype and y.shape == expected.shape and y.flags.c_contiguous
    np.testing.assert_array_equal(y, expected)
    assert_same_state(final, expected_final)


def test_what_is_unusual_goes_the_long_way(rng):
    """Nothing has been done then, and nothing is refused that the long way takes."""
    layer = fr.LSTM(3, 4, seed=0)
    x = rng.standard_normal((5, 2, 3)).astype(np.float32)
    h = np.zeros((1, 2, 4), np.float32)
    unusual = [
        (x.tolist(), None), (x.astype(">f4"), None), (x[:0], None), (x[:, :0], None), (np.asfortranarray(x), None),
        (x[..., :2], None), (x[0, 0], None), (x.astype(np.float64), None), (np.ma.asarray(x), None),
        (x, [h, h]), (x, (h, None)), (x, (h, h[:, :1])), (x, (h, np.asfortranarray(h))), (x, h),
    ]  # fmt: skip
    assert [layer._fast_path(*arguments) for arguments in unusual] == [None] * len(unusual)
    np.testing.assert_array_equal(layer(np.asfortranarray(x), [h, h])[0], layer(x)[0])
    large = np.ones((1 << 14, 2, 3), np.float32)
    assert layer._fast_path(large, None) is None


def test_a_length_of_zero_keeps_the_initial_state_and_gives_zeros(cell, rng):
    layer = make_layer(cell, 3, 7, 2, bidirectional=True, seed=4)
    x, state = rng.standard_normal((5, 4, 3)).astype(np.float32), random_state(layer, 4, rng)
    y, final, tape = layer.forward(x, state, lengths=[0, 5, 0, 2])
    assert not y[:, [0, 2]].any() and not y[2:, 3].any() and y[:2, 3].any()
    for ours, before in zip(as_tuple(final), as_tuple(state), strict=True):
        np.testing.assert_array_equal(ours[:, [0, 2]], before[:, [0, 2]])
    dx, dstate = layer.backward(tape, np.ones_like(y), final)
    assert not dx[:, [0, 2]].any() and not dx[2:, 3].any() and dx[:2, 3].any()
    for ours, upstream in zip(as_tuple(dstate), as_tuple(final), strict=True):
        np.testing.assert_array_equal(ours[:, [0, 2]], upstream[:, [0, 2]])


def test_inputs_are_not_written_to(cell, rng):
    layer = make_layer(cell, 3, 7, 2, bidirectional=True, seed=4)
    x, state = rng.standard_normal((5, 4, 3)).astype(np.float32), random_state(layer, 4, rng)
    lengths, dy = random_lengths(5, 4, rng), rng.standard_normal((5, 4, 14)).astype(np.float32)
    given = [x, *as_tuple(state), lengths, dy]
    before = [array.copy() for array in given]
    layer(x, state, lengths)
    layer.backward(layer.forward(x, state, lengths)[2], dy, state)
    for array, copied in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copied)


# -- dropout ---------------------------------------------------------------------------------------------------------


def test_dropout_acts_in_training_only_and_scales_what_it_keeps():
    layer = fr.RNN(1, 50, 2, nonlinearity="identity", dropout=0.25, bias=False, seed=0)
    layer.params["weight_ih_l0"] = np.ones((50, 1), np.float32)
    layer.params["weight_ih_l1"] = np.eye(50, dtype=np.float32)
    for name in ("weight_hh_l0", "weight_hh_l1"):
        layer.params[name] = np.zeros((50, 50), np.float32)
    x = np.ones((40, 20, 1), np.float32)
    np.testing.assert_array_equal(layer(x)[0], 1)
    y, _, tape = layer.forward(x)
    kept = y != 0
    np.testing.assert_allclose(y[kept], 1 / 0.75, rtol=1e-6)
    assert abs(kept.mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / y.size)
    dx, _ = layer.backward(tape, np.ones_like(y))
    np.testing.assert_allclose(dx[..., 0], y.sum(-1), rtol=1e-5)  # the same mask, both ways


def test_gradient_through_dropout_equals_a_difference_quotient(cell, rng):
    """Layers with one seed draw one mask, so the loss can be evaluated twice."""
    make = lambda: make_layer(cell, 3, 5, 3, dropout=0.4, dtype=np.float64, seed=6)  # noqa: E731
    x, dy = rng.standard_normal((4, 2, 3)), rng.standard_normal((4, 2, 5))
    direction = rng.standard_normal(x.shape)
    layer = make()
    dx, _ = layer.backward(layer.forward(x)[2], dy)
    step = 1e-6
    difference = sum(sign * (make().forward(x + sign * step * direction)[0] * dy).sum() for sign in (1, -1))
    assert difference / (2 * step) == pytest.approx((dx * direction).sum(), rel=1e-6, abs=1e-9)


def test_same_seed_same_masks_and_another_seed_another():
    x = np.ones((5, 3, 4), np.float32)
    outputs = [fr.GRU(4, 6, 2, dropout=0.5, seed=seed).forward(x)[0] for seed in (7, 7, 8)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()


def test_dropout_without_a_second_layer_warns():
    with pytest.warns(UserWarning, match="between layers"):
        fr.LSTM(2, 3, dropout=0.5)


# -- tapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell", "blocks"), [("lstm", 5), ("gru", 4), ("gru_reset_before", 4), ("rnn_tanh", 1)])
@pytest.mark.parametrize("lengths", [None, [7, 0, 3]])
def test_the_tape_keeps_so_many_times_hidden_size_and_nothing_for_ended_rows(cell, blocks, lengths):
    layer = make_layer(cell, 3, 11, seed=0)
    tape = layer.forward(np.ones((7, 3, 3), np.float32), lengths=lengths)[2]
    rows = 21 if lengths is None else sum(lengths)
    assert tape.nbytes == blocks * 11 * rows * 4


def test_output_of_training_is_read_only_because_the_tape_needs_it():
    y, _, _ = fr.LSTM(3, 4, seed=0).forward(np.ones((2, 1, 3), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        y[0] = 0


def test_a_tape_serves_once_and_only_its_layer():
    layer, other = fr.LSTM(3, 4, seed=0), fr.LSTM(3, 4, seed=0)
    y, _, tape = layer.forward(np.ones((2, 1, 3), np.float32))
    with pytest.raises(ValueError, match="tape: expected one that this LSTM made"):
        other.backward(tape, y)
    layer.backward(tape, y)
    with pytest.raises(ValueError, match="a tape can be used once"):
        layer.backward(tape, y)
    with pytest.raises(TypeError, match="tape: expected what LSTM.forward returned, got ndarray"):
        layer.backward(y, y)


def test_inference_of_a_stack_needs_no_buffer_that_grows_with_time():
    """Three layers, 300 000 steps: beyond y (73 MB) less than a tenth of what one layer's output takes."""
    code = """
import resource, numpy as np, fastrnn as fr
layer = fr.LSTM(1, 64, 3, seed=0)
layer(np.zeros((1000, 1, 1), np.float32))
x = np.zeros((300_000, 1, 1), np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
y, _ = layer(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, y.nbytes // 1024)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown, output = map(int, run.stdout.split())
    assert grown < 1.1 * output


# -- packed weights --------------------------------------------------------------------------------------------------


# Each turns signs, so that the output changes every time.


def write_item(layer, name):
    layer.params[name][0] *= -1


def write_held(layer, name, held={}):  # noqa: B006 - a reference is to stay
    held[id(layer), name] = array = layer.params[name]
    layer(np.ones((2, 1, 3), np.float32))
    array *= -1


def write_view(layer, name):
    view = layer.params[name][..., -1:]
    layer(np.ones((2, 1, 3), np.float32))
    view *= -1


def write_memoryview(layer, name):
    view = memoryview(layer.params[name]).cast("B").cast("f")
    layer(np.ones((2, 1, 3), np.float32))
    view[0] = -view[0]


def write_copyto(layer, name):
    np.copyto(layer.params[name], -layer.params[name])


def write_ufunc(layer, name):
    np.negative(layer.params[name], out=layer.params[name])


def write_assignment(layer, name):
    layer.params[name] = -layer.params[name]


def write_values(layer, name):
    for array in layer.params.values():
        array *= -1


def write_state_dict(layer, name):
    layer.load_state_dict({key: -value for key, value in layer.state_dict().items()})


def write_optimizer(layer, name):
    y, _, tape = layer.forward(np.ones((2, 1, 3), np.float32))
    layer.backward(tape, np.ones_like(y))
    fr.Adam(layer, lr=0.1).step()


WRITES = [f for key, f in sorted(globals().items()) if key.startswith("write_")]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l1_reverse"])
def test_a_stale_pack_cannot_be_used(cell, write, name, rng):
    """However a parameter is written, the next call, backward pass and stream step use its new value."""
    layer = make_layer(cell, 3, 20, 2, bidirectional=True, seed=0)
    x = rng.standard_normal((4, 2, 3)).astype(np.float32)
    for _ in range(2):  # the second time a pack exists and has been found unchanged
        before = layer(x)[0]
        write(layer, name)
        after = layer(x)[0]
        fresh = copy.deepcopy(layer)  # packs of its own
        assert (after != before).any() or cell == "rnn_relu"  # a relu unit may be off
        np.testing.assert_array_equal(after, fresh(x)[0])
        dx = [model.backward(model.forward(x)[2], after)[0] for model in (layer, fresh)]
        np.testing.assert_array_equal(*dx)


@pytest.mark.parametrize("write", WRITES)
def test_a_stream_follows_its_parameters(cell, write, rng):
    layer = make_layer(cell, 3, 20, 2, seed=0)
    stream = layer.stream()
    x = rng.standard_normal((1, 3)).astype(np.float32)
    stream.step(x)
    write(layer, "weight_hh_l0")
    state = stream.state
    np.testing.assert_array_equal(stream.step(x), layer(x[None], state)[0][0])


def test_an_unchanged_layer_keeps_its_pack():
    layer = fr.LSTM(3, 20, seed=0)
    weights = layer.stack.weights[0]
    first = weights.pack()
    array = layer.params["weight_hh_l0"]
    assert weights.pack() is first  # given out, compared, found equal
    array[0, 0] += 1
    second = weights.pack()
    assert second is not first
    del array
    assert weights.pack() is second


# -- memory that is kept from call to call ----------------------------------------------------------------------------


def test_a_tape_s_memory_serves_for_the_next(rng):
    """A training loop allocates its tapes once; a tape that has not been used keeps its own."""
    lstm = fr.LSTM(3, 8, seed=0)
    x = rng.standard_normal((20, 2, 3)).astype(np.float32)

    def step():
        y, _, tape = lstm.forward(x)
        address = open_tape(tape, lstm)[1].saved[0][0].gates.ctypes.data
        return address, lstm.backward(tape, np.ones_like(y))[0]

    first, dx = step()
    assert step()[0] == first
    waiting = lstm.forward(x)[2]
    assert step()[0] != first
    np.testing.assert_array_equal(lstm.backward(waiting, np.ones((20, 2, 8), np.float32))[0], dx)


@pytest.mark.parametrize("shapes", [[(20, 2), (5, 1), (40, 3), (20, 2)], [(1, 1), (0, 2), (3, 1)]])
def test_memory_of_another_size_changes_nothing(cell, shapes, rng):
    """Longer and shorter sequences in turn give what a new layer gives."""
    layer = make_layer(cell, 3, 8, seed=0)
    for T, N in shapes:
        x = rng.standard_normal((T, N, 3)).astype(np.float32)
        results = []
        for one in (layer, make_layer(cell, 3, 8, seed=0)):
            y, _, tape = one.forward(x)
            results.append([y, one.backward(tape, np.ones_like(y))[0]])
        for ours, expected in zip(*results, strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_much_memory_is_not_kept():
    """Beyond 32 MB a tape's memory goes back to the system."""
    rnn = fr.RNN(1, 64, seed=0)
    for T, kept in ((1000, True), (10_000, False)):
        x = np.zeros((T, 20, 1), np.float32)
        y, _, tape = rnn.forward(x)
        rnn.backward(tape, y)
        assert bool(rnn.stack.weights[0].pack().spare) == kept
