# SPDX-License-Identifier: BSD-3-Clause
"""reverse=True: the bits of the plain layer on rows that were turned around, in every way of running it."""

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits, refused
from support.recurrent import as_tuple, make_layer, random_lengths, random_state, run_reference
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn import decoding, export, inspect
from fastrnn._engine import recomputation
from fastrnn.nn._recurrent import stack
from fastrnn.nn._recurrent.step_values import step_values

I, H = 3, 9


def turned(array, lengths):
    """Each row (T, N, ...) read from its own end; what lies beyond stays."""
    result = array.copy()
    for n, T in enumerate(lengths):
        result[:T, n] = array[:T, n][::-1]
    return result


def pair(cell, num_layers=2, **options):
    """A layer, and the same in reverse."""
    return (make_layer(cell, I, H, num_layers, seed=0, reverse=reverse, **options) for reverse in (False, True))


def run(layer, x, state, lengths, dy, dstate, **more):
    """y, the final state, dx, the gradient of the initial state, and those of the parameters."""
    y, final, tape = layer.forward(x, state, lengths, **more)
    dx, dinitial = layer.backward(tape, dy, dstate)
    return y, as_tuple(final), dx, as_tuple(dinitial), dict(layer.grads)


def assert_turned(actual, expected, lengths, same_sums=True):
    """Sequences are turned, and everything else is the same; sums over time, unless they are in another order."""
    for k in (0, 2):
        assert_same_bits(actual[k], turned(expected[k], lengths))
    assert_same_bits((*actual[1], *actual[3]), (*expected[1], *expected[3]))
    for name, grad in actual[4].items():
        if same_sums:
            assert_same_bits(grad, expected[4][name], name)
        else:
            assert_close(grad, expected[4][name], grad.dtype, backward=True, terms=lengths.sum(), steps=1, what=name)


def problem(layer, rng, T=7, N=4, ragged=True):
    lengths = random_lengths(T, N, rng) if ragged else np.full(N, T)
    x, dy = (rng.standard_normal((T, N, size)).astype(layer.dtype) for size in (I, H))
    return x, random_state(layer, N, rng), lengths, dy, random_state(layer, N, rng)


@pytest.mark.parametrize("ragged", [False, True])
def test_the_bits_of_turned_rows(isa, cell, dtype, ragged, rng):
    plain, reverse = pair(cell, dtype=dtype)
    x, state, lengths, dy, dstate = problem(plain, rng, ragged=ragged)
    expected = run(plain, turned(x, lengths), state, lengths, turned(dy, lengths), dstate)
    given = lengths if ragged else None  # then small calls take their fast path
    actual = run(reverse, x, state, given, dy, dstate)
    assert_turned(actual, expected, lengths)
    y, final = reverse(x, state, given)
    assert_same_bits((y, *as_tuple(final)), (actual[0], *actual[1]))


def test_the_reference(cell, rng):
    _, reverse = pair(cell, dtype=np.float64)
    x, state, lengths, dy, dstate = problem(reverse, rng)
    expected = run_reference(cell, reverse, x, state, lengths, dy, dstate)
    actual = run(reverse, x, state, lengths, dy, dstate)
    for k in (0, 2):
        assert_close(actual[k], expected[k], np.float64, backward=k == 2, terms=28, steps=7, what=str(k))
    for name, grad in actual[4].items():
        assert_close(grad, expected[4][name], np.float64, backward=True, terms=28, steps=7, what=name)


@pytest.mark.parametrize("options", [{"recompute": True}, {"learn_initial_state": True}, {"delta_clip": 0.01}], ids=str)
def test_options(cell, options, rng):
    plain, reverse = pair(cell, **options)
    x, state, lengths, dy, dstate = problem(plain, rng, T=700, N=5)
    dy *= 0.1
    for layer in (plain, reverse):
        for name in layer.params:
            layer.params[name] *= 0.5
    state = None if "learn_initial_state" in options else state
    expected = run(plain, turned(x, lengths), state, lengths, turned(dy, lengths), dstate)
    assert len(recomputation.blocks(*x.shape[:2], False)) > 1
    again = run(reverse, x, state, lengths, dy, dstate)
    assert_turned(again, expected, lengths, same_sums="recompute" not in options)  # its blocks begin elsewhere


def test_the_regularizer_of_gradients(rng):
    plain, reverse = pair("rnn_tanh", 1, omega=0.5)
    x, state, lengths, dy, dstate = problem(plain, rng)
    expected = run(plain, turned(x, lengths), state, lengths, turned(dy, lengths), dstate)
    assert_turned(run(reverse, x, state, lengths, dy, dstate), expected, lengths)


def test_blocks_of_time(cell, rng, monkeypatch):
    """The last block is run first."""
    monkeypatch.setattr(stack, "BLOCK_ELEMENTS", 1)
    monkeypatch.setattr(stack, "BLOCK_STEPS", 3)
    plain, reverse = pair(cell)
    x, state, lengths, *_ = problem(plain, rng, T=10)
    y, final = plain(turned(x, lengths), state, lengths)
    z, same = reverse(x, state, lengths)
    assert_same_bits((z, *as_tuple(same)), (turned(y, lengths), *as_tuple(final)))
    marks = rng.random(x.shape[:2]) < 0.3
    z, same = reverse(x, state, lengths, resets=marks)
    expected, final, _ = reverse.forward(x, state, lengths, resets=marks)
    assert_same_bits((z, *as_tuple(same)), (expected, *as_tuple(final)))


def test_resets_masks_and_packed_rows(cell, rng):
    _, reverse = pair(cell)
    x, state, _, dy, dstate = problem(reverse, rng, N=3)
    lengths, marks = [7, 4, 6], np.zeros((7, 3), bool)
    marks[3, 0] = marks[2, 1] = True
    y, final = reverse(x, state, lengths, resets=marks)
    of = lambda n: tuple(part[:, n : n + 1] for part in as_tuple(state))  # noqa: E731
    late, _ = reverse(x[3:7, :1], as_state_of(of(0)))
    early, end = reverse(x[:3, :1])
    assert_same_bits(y[:, :1], np.concatenate([early, late]))
    assert_same_bits([part[:, :1] for part in as_tuple(final)], list(as_tuple(end)))
    keep = rng.random((7, 3)) < 0.6
    masked, _ = reverse(x, state, mask=keep)
    for n in range(3):
        alone, _ = reverse(x[keep[:, n], n : n + 1], as_state_of(of(n)))
        assert_same_bits(masked[keep[:, n], n : n + 1], alone)
    expected = run(reverse, x, state, lengths, dy, dstate)
    grads = {name: grad.copy() for name, grad in expected[4].items()}
    reverse.zero_grad()
    pack = lambda array: fr.pack_sequence([array[:T, n] for n, T in enumerate(lengths)])  # noqa: E731
    y, final, dx, dinitial, packed_grads = run(reverse, pack(x), state, None, pack(dy), dstate)
    assert_same_bits((y.data, dx), (pack(expected[0]).data, pack(expected[2]).data))
    assert_same_bits((*final, *dinitial), (*expected[1], *expected[3]))
    for name, grad in packed_grads.items():
        assert_same_bits(grad, grads[name], name)


def as_state_of(parts):
    return parts if len(parts) > 1 else parts[0]


def test_layouts_gates_and_analysis(cell, rng):
    plain, reverse = pair(cell, 1)
    x, _, lengths, dy, _ = problem(plain, rng)
    lengths[:] = np.maximum(lengths, 1)
    rows_first = make_layer(cell, I, H, batch_first=True, reverse=True, seed=0)
    y, _ = rows_first(x.swapaxes(0, 1), lengths=lengths)
    assert_same_bits(y.swapaxes(0, 1), reverse(x, lengths=lengths)[0])
    alone, _ = reverse(x[: lengths[0], 0])
    assert_same_bits(alone, reverse(x, lengths=lengths)[0][: lengths[0], 0])
    values, other = (
        step_values(layer, layer.forward(rows, lengths=lengths)[2])
        for layer, rows in ((reverse, x), (plain, turned(x, lengths)))
    )
    for name, array in values.items():
        assert_same_bits(array[0, 0], turned(other[name][0, 0], lengths))
    ((name, J),) = inspect.state_jacobians(reverse, x, lengths).items()
    ((same, expected),) = inspect.state_jacobians(plain, turned(x, lengths), lengths).items()
    assert name == same
    assert_same_bits(J, turned(expected, lengths))
    assert fr.check_gradients(make_layer(cell, I, H, reverse=True, dtype=np.float64, seed=0), x[:4].astype(float)).ok


def test_the_option(tmp_path):
    gru = fr.GRU(I, H, reverse=True, seed=0)
    assert gru.config()["reverse"] is True and "reverse=True" in repr(gru)
    assert "reverse" not in fr.GRU(I, H).config()
    assert list(gru.params) == list(fr.GRU(I, H).params)
    model = fr.Sequential(gru, fr.LastStep(reverse=True), fr.Linear(H, 2, seed=1))
    fr.save(model, tmp_path / "model.safetensors")
    again = fr.load(tmp_path / "model.safetensors")
    x = np.random.default_rng(0).standard_normal((6, 2, I)).astype(np.float32)
    assert_same_bits(again(x)[0], model(x)[0])
    assert again[1].config() == {"batch_first": False, "dtype": "float32", "bidirectional": False, "reverse": True}


@pytest.mark.parametrize("lengths", [None, [4, 2, 6]])
def test_the_last_step_that_it_takes_is_step_0(rng, lengths):
    gru, last = fr.GRU(I, H, reverse=True, seed=0), fr.LastStep(reverse=True)
    x = rng.standard_normal((6, 3, I)).astype(np.float32)
    y, h = gru(x, lengths=lengths)
    pooled, tape = last.forward(y, lengths)
    assert_same_bits(pooled, h[0])
    dx = last.backward(tape, pooled)
    assert_same_bits(dx[0], pooled)
    assert not dx[1:].any()


def test_what_it_does_not_go_with():
    with argument_refused(ValueError, "reverse", "bidirectional=True", "got True"):
        fr.GRU(I, H, bidirectional=True, reverse=True)
    with argument_refused(ValueError, "reverse", "bidirectional=True"):
        fr.LastStep(bidirectional=True, reverse=True)
    with argument_refused(TypeError, "reverse", "True or False"):
        fr.GRU(I, H, reverse=1)
    with refused(ValueError, "expected reverse=True, as GRU at 0 gives it, got LastStep with reverse=False"):
        fr.Sequential(fr.GRU(I, H, reverse=True), fr.LastStep())
    with refused(ValueError, "expected reverse=False", "got LastStep with reverse=True"):
        fr.Sequential(fr.GRU(I, H), fr.Linear(H, H), fr.LastStep(reverse=True))


def test_what_reads_forwards_only():
    """Each says that the layer is in reverse."""
    gru = fr.GRU(I, H, reverse=True, seed=0)
    for make in (gru.stream, fr.Sequential(gru).stream, lambda: fr.StreamPool(gru, 2)):
        with refused(ValueError, "stream", "reverse=True"):
            make()
    x = np.zeros((4, 2, I), np.float32)
    with argument_refused(ValueError, "model", "one direction", "reverse=True"):
        list(fr.truncated_bptt(gru, fr.mse_loss, x, np.zeros((4, 2, H)), 2))
    with refused(ValueError, "reverse=True"):
        export.export_c(gru, "/nowhere")
    tokens = fr.Sequential(fr.Embedding(5, I), gru, fr.Linear(H, 5))
    with argument_refused(ValueError, "model", "one direction", "reverse=True"):
        decoding.sample(tokens, np.zeros((2, 1), int), stop=None, max_length=3)
    parts = fr.Embedding(5, I), gru, fr.Linear(H, 5)
    with argument_refused(ValueError, "decoder", "reverse=True", "future"):
        fr.Seq2Seq(fr.GRU(I, H), *parts)
    with argument_refused(ValueError, "layer", "reverse=True", "future"):
        fr.AttentionDecoder(gru, fr.Attention(H, H), fr.Linear(2 * H, 4))
