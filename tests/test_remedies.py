# SPDX-License-Identifier: BSD-3-Clause
"""What acts on a state inside the loop: leaky units, zoneout, recurrent dropout, weight drop, clipped deltas.

The masks of a call are read from its tape, and the same call is run with them in the reference, which central
differences check in turn (test_reference.py).
"""

import itertools
import re

import numpy as np
import pytest
from conftest import (
    as_tuple,
    assert_close,
    central_differences,
    make_layer,
    random_lengths,
    random_state,
    run_reference,
)
from layer_cases import assert_same_bits, assert_slopes, refused

import fastrnn as fr

OPTIONS = {
    "recurrent_dropout": {"recurrent_dropout": 0.4},
    "zoneout": {"zoneout": 0.3},
    "weight_drop": {"weight_drop": 0.5},
    "delta_clip": {"delta_clip": 0.02},
    "all": {"recurrent_dropout": 0.4, "zoneout": 0.3, "weight_drop": 0.5, "delta_clip": 0.05},
}
T, N, I, H = 7, 5, 3, 17
each_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def given(tape, layer):
    """The state updates and the parameters of the forward pass that left this tape."""
    _, saved, _, drops = tape._content
    parameters = layer.state_dict()
    for k, direction in itertools.product(range(layer.num_layers), range(layer.num_directions)):
        if drops[k][direction] is not None:
            parameters[layer._names(k, direction)[1]] *= drops[k][direction]
    return (
        [part.state_update for parts in saved for part in parts],
        parameters,
        [drop for drops in drops for drop in drops],
    )


def check(cell, layer, rng, lengths=None, steps=T):
    """y, the final state and every gradient of one training step against the reference."""
    x = rng.standard_normal((steps, N, I)).astype(layer.dtype)
    state, dstate = random_state(layer, N, rng), random_state(layer, N, rng)
    D, G = layer.num_directions, layer.cell.gates
    dy = rng.standard_normal((steps, N, D * H)).astype(layer.dtype)
    y, final, tape = layer.forward(x, state, lengths)
    state_updates, parameters, drops = given(tape, layer)
    layer.zero_grad()
    dx, dinitial = layer.backward(tape, dy, dstate)
    expected = run_reference(
        cell, layer, x, state, lengths, dy, dstate, parameters=parameters, state_updates=state_updates
    )
    through = {"bidirectional": D == 2, "steps": steps * layer.num_layers}
    assert_close(y, expected[0], layer.dtype, terms=I + H, **through, what="y")
    for part, ours, theirs in zip("hc", as_tuple(final), as_tuple(expected[1]), strict=False):
        assert_close(ours, theirs, layer.dtype, terms=I + H, **through, what=part)
    through["backward"] = True
    assert_close(dx, expected[2], layer.dtype, terms=G * H * D, **through, what="dx")
    for part, ours, theirs in zip("hc", as_tuple(dinitial), as_tuple(expected[3]), strict=False):
        assert_close(ours, theirs, layer.dtype, terms=G * H, **through, what=f"d{part}_0")
    names = [layer._names(*k)[1] for k in itertools.product(range(layer.num_layers), range(D))]
    for name, theirs in expected[4].items():
        drop = drops[names.index(name)] if name in names else None
        theirs = theirs if drop is None else theirs * drop
        assert_close(layer.grads[name], theirs, layer.dtype, terms=steps * N, **through, what=name)


@each_option
def test_outputs_and_gradients_equal_the_reference(isa, dtype, cell, options, rng):
    layer = make_layer(cell, I, H, dtype=dtype, seed=1, **options)
    check(cell, layer, rng)
    check(cell, layer, rng, random_lengths(T, N, rng))


def test_in_layers_and_directions(isa, dtype, cell, rng):
    layer = make_layer(cell, I, H, 2, bidirectional=True, dtype=dtype, seed=1, **OPTIONS["all"])
    check(cell, layer, rng, random_lengths(T, N, rng))


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "sigmoid", "selu", "identity"])
def test_leaky_units(isa, dtype, nonlinearity, rng):
    layer = fr.RNN(I, H, 2, nonlinearity=nonlinearity, leak=0.3, dtype=dtype, seed=1)
    check(f"rnn_{nonlinearity}", layer, rng, random_lengths(T, N, rng))
    check(f"rnn_{nonlinearity}", fr.RNN(I, H, nonlinearity=nonlinearity, leak=0.3, zoneout=0.5, dtype=dtype), rng)


def test_zoneout_of_h_and_c_apart(isa, dtype, rng):
    check("lstm", fr.LSTM(I, H, zoneout=(0.1, 0.6), dtype=dtype, seed=1), rng)
    check("lstm", fr.LSTM(I, H, zoneout=(0.6, 0), dtype=dtype, seed=1), rng)


def test_recomputed_in_blocks(isa, cell, rng):
    """`recompute` goes through the masks of a call twice, block by block."""
    layer = make_layer(cell, I, H, bidirectional=True, recompute=True, dtype=np.float64, seed=1, **OPTIONS["all"])
    plain = make_layer(cell, I, H, bidirectional=True, dtype=np.float64, seed=1, **OPTIONS["all"])
    x = rng.standard_normal((900, N, I))
    for lengths in (None, random_lengths(900, N, rng)):
        y, _, tape = layer.forward(x, lengths=lengths)
        y_plain, _, tape_plain = plain.forward(x, lengths=lengths)
        assert_same_bits(y, y_plain)
        assert tape.nbytes < tape_plain.nbytes
        dy = rng.standard_normal(y.shape)
        assert_same_bits(layer.backward(tape, dy)[0], plain.backward(tape_plain, dy)[0])


def test_threads_do_not_change_the_bits(isa, cell, rng):
    """One row of many units, whose units are divided, and many rows, which are."""
    for rows, units in ((1, 512), (40, 64)):
        x = rng.standard_normal((30, rows, I)).astype(np.float32)
        results = []
        for threads in (1, 2, 3):
            layer = make_layer(cell, I, units, seed=1, **OPTIONS["all"])
            with fr.threads(threads):
                y, _, tape = layer.forward(x)
                dx, _ = layer.backward(tape, np.ones_like(y))
            results.append((y, dx, layer.grads["weight_hh_l0"]))
        for other in results[1:]:
            for ours, theirs in zip(other, results[0], strict=True):
                assert_same_bits(ours, theirs)


# -- the masks -------------------------------------------------------------------------------------------------------


def state_updates(layer, rows=200, steps=50):
    """What one call of `forward` draws, for each layer and direction, and for w_hh."""
    _, _, tape = layer.forward(np.zeros((steps, rows, layer.input_size), layer.dtype))
    _, saved, _, drops = tape._content
    return [part.state_update for parts in saved for part in parts], [drop for parts in drops for drop in parts]


def assert_share_of_zeros(mask, p):
    """Within five standard deviations of the binomial distribution."""
    assert abs((mask == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / mask.size)


def test_masks_of_recurrent_dropout(dtype):
    """One for each row, the same at every step; zeros with probability p, the rest 1/(1-p)."""
    found, _ = state_updates(fr.LSTM(2, 30, 2, bidirectional=True, recurrent_dropout=0.2, dtype=dtype, seed=0))
    assert len(found) == 4
    for state_update in found:
        assert state_update.mask.shape == (200, 30)
        assert set(np.unique(state_update.mask)) == {0, dtype.type(1 / 0.8)}
        assert_share_of_zeros(state_update.mask, 0.2)
    assert all((a.mask != b.mask).any() for a, b in itertools.combinations(found, 2))


def test_masks_of_zoneout(dtype):
    """One for each step, row and unit; zeros and ones, and zeros with the probability of each part."""
    (state_update,), _ = state_updates(fr.LSTM(2, 30, zoneout=(0.1, 0.5), dtype=dtype, seed=0))
    for share, p in ((state_update.fraction_h, 0.1), (state_update.fraction_c, 0.5)):
        assert share.shape == (50, 200, 30)
        assert set(np.unique(share)) == {0, 1}
        assert_share_of_zeros(share, p)


def test_masks_of_weight_drop(dtype):
    _, (drop,) = state_updates(fr.GRU(2, 60, weight_drop=0.4, dtype=dtype, seed=0))
    assert drop.shape == (180, 60)
    assert set(np.unique(drop)) == {0, dtype.type(1 / (1 - 0.4))}
    assert_share_of_zeros(drop, 0.4)


@each_option
def test_the_same_seed_draws_the_same_and_a_copy_goes_on(cell, options, rng):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    layer, same = (make_layer(cell, I, H, seed=3, **options) for _ in range(2))
    first = layer.forward(x)[0]
    assert_same_bits(same.forward(x)[0], first)
    again = same.__reduce__()[0](*same.__reduce__()[1])
    assert_same_bits(again.forward(x)[0], layer.forward(x)[0])


# -- inference -------------------------------------------------------------------------------------------------------


def test_inference_knows_nothing_of_dropout(cell, rng):
    """Recurrent dropout, weight drop and clipping act in training alone."""
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    plain = make_layer(cell, I, H, seed=0)(x)[0]
    layer = make_layer(cell, I, H, seed=0, recurrent_dropout=0.5, weight_drop=0.5, delta_clip=1e-3)
    assert_same_bits(layer(x)[0], plain)


def test_inference_takes_the_mean_of_zoneout(isa, dtype, cell, rng):
    """h = (1-p) h~ + p h_prev, on the short way, the long way and step by step, with the same bits."""
    layer = make_layer(cell, I, H, seed=0, zoneout=0.3, dtype=dtype)
    parts = len(layer._parts)
    shares = fr.functional.StateUpdate(*[np.full(H, 0.7)] * parts)
    x = rng.standard_normal((T, N, I)).astype(dtype)
    y, state = layer(x)
    expected, final = run_reference(cell, layer, x, state_updates=[shares])
    assert_close(y, expected, dtype, terms=I + H, steps=T)
    for ours, theirs in zip(as_tuple(state), as_tuple(final), strict=True):
        assert_close(ours, theirs, dtype, terms=I + H, steps=T)
    assert_same_bits(layer(x, lengths=[T] * N)[0], y)
    stream = layer.stream(N)
    assert_same_bits(np.stack([stream.step(x_t) for x_t in x]), y)


def test_the_mean_over_many_masks_of_a_linear_unit_is_inference(rng):
    """What inference does is the mean of training where the step is linear: zoneout of an identity RNN."""
    layer = fr.RNN(1, 2, nonlinearity="identity", zoneout=0.5, dtype=np.float64, seed=0)
    x = np.broadcast_to(rng.standard_normal((6, 1, 1)), (6, 40000, 1))
    mean = layer.forward(x)[0].mean(axis=1)
    np.testing.assert_allclose(mean, layer(x[:, :1])[0][:, 0], atol=0.02)


def test_leak_of_1_is_the_plain_cell(rng):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    assert_same_bits(fr.RNN(I, H, leak=1, seed=0)(x)[0], fr.RNN(I, H, seed=0)(x)[0])


def test_a_clip_that_nothing_reaches_changes_no_bit(cell, rng):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    layers = [make_layer(cell, I, H, seed=0, delta_clip=clip) for clip in (None, 1e6)]
    for layer in layers:
        y, _, tape = layer.forward(x)
        layer.backward(tape, np.ones_like(y))
    for name in layers[0].grads:
        assert_same_bits(layers[0].grads[name], layers[1].grads[name])


def test_clipped_deltas_do_not_hide_nan(cell, rng):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    layer = make_layer(cell, I, H, seed=0, delta_clip=1.0)
    y, _, tape = layer.forward(x)
    dy = np.zeros_like(y)
    dy[-1, 0, 0] = np.nan
    layer.backward(tape, dy)
    assert np.isnan(layer.grads["weight_hh_l0"]).any()


# -- what is refused, and what is kept ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["recurrent_dropout", "zoneout", "weight_drop"])
def test_probabilities_are_checked(cell, name):
    for value in (-0.1, 1, 1.5, np.nan):
        with refused(ValueError, f"{name}: expected a probability in [0, 1)", repr(value)):
            make_layer(cell, I, H, **{name: value})
    for value in (None, "0.5", {}):
        with refused(TypeError, f"{name}: expected a probability in [0, 1)"):
            make_layer(cell, I, H, **{name: value})


def test_zoneout_has_as_many_parts_as_the_state():
    with refused(ValueError, "zoneout: expected a probability or (h, c), got (0.1,)"):
        fr.LSTM(I, H, zoneout=(0.1,))
    with refused(ValueError, "zoneout: expected a probability or (h), got (0.1, 0.2)"):
        fr.GRU(I, H, zoneout=(0.1, 0.2))


def test_leak_and_clip_are_checked():
    for value in (0, -1, 1.1, np.nan, np.inf):
        with refused(ValueError, "leak: expected a number"):
            fr.RNN(I, H, leak=value)
    for value in (0, -1, np.nan, np.inf):
        with refused(ValueError, "delta_clip: expected a finite number above 0"):
            fr.GRU(I, H, delta_clip=value)
    for name in ("leak", "delta_clip"):
        with refused(TypeError, f"{name}: expected a"):
            fr.RNN(I, H, **{name: "1"})


def test_they_are_saved_with_the_layer(tmp_path):
    layer = fr.LSTM(I, H, zoneout=(0.1, 0.2), recurrent_dropout=0.3, weight_drop=0.4, delta_clip=0.5)
    leaky = fr.RNN(I, H, leak=0.25, zoneout=0.5)
    for k, model in enumerate((layer, leaky, fr.Sequential(leaky, fr.GRU(H, H, zoneout=0.1)))):
        fr.save(model, tmp_path / f"{k}.safetensors")
        assert fr.load(tmp_path / f"{k}.safetensors").config() == model.config()
    assert layer.config()["zoneout"] == [0.1, 0.2] and leaky.config()["leak"] == 0.25
    assert "leak" not in fr.RNN(I, H).config()  # what changes nothing is not said


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"zoneout": "0.1"}, "LSTM.zoneout: expected float, got '0.1'"),
        ({"zoneout": [0.1, "x"]}, "zoneout: expected a probability"),
        ({"zoneout": [[0.1], 0.2]}, "zoneout: expected a probability"),
        ({"weight_drop": [0.1]}, "weight_drop: expected a probability"),
        ({"delta_clip": True}, "LSTM.delta_clip: expected float, got True"),
    ],
    ids=str,
)
def test_files_that_say_nonsense_are_refused(tmp_path, given, message, monkeypatch):
    layer = fr.LSTM(I, H)
    config = layer.config() | given
    monkeypatch.setattr(fr.LSTM, "config", lambda self: config)
    fr.save(layer, tmp_path / "model.safetensors")
    with refused(ValueError, message):
        fr.load(tmp_path / "model.safetensors")


# -- without chance ----------------------------------------------------------------------------------------------------


@each_option
def test_a_still_copy_trains_on_what_a_call_computes(cell, options, rng):
    """`still` keeps the mean of zoneout and drops nothing; its gradients are those of the function that a call is."""
    layer = make_layer(
        cell, I, H, 2, bidirectional=True, dropout=0.5, recompute=True, dtype=np.float64, seed=1, **options
    )
    still = layer.still()
    x = rng.standard_normal((T, N, I))
    y, _, tape = still.forward(x)
    assert_same_bits(y, layer(x)[0])
    dx, _ = still.backward(tape, np.ones_like(y))
    assert_slopes(dx, lambda: layer(x)[0].sum(), x, "dx")
    assert not any(layer.grads[name].any() for name in layer.grads)


def test_still_copies_of_models_have_no_chance_in_them(rng):
    parts = fr.Dropout(0.5), fr.Residual(fr.GRU(I, I, zoneout=0.5)), fr.Sequential(fr.Dropout(0.2), fr.Linear(I, 2))
    model = fr.Sequential(*parts)
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    assert_same_bits(model.still().forward(x)[0], model(x)[0])
    decoder = fr.AttentionDecoder(fr.LSTM(I, H, zoneout=0.5), fr.Attention(H, I), fr.Linear(H + I, 2))
    assert_same_bits(decoder.still().forward(x, x)[0], decoder(x, x)[0])


# -- looking without drawing -----------------------------------------------------------------------------------------

EVERYTHING = {"recurrent_dropout": 0.4, "zoneout": 0.3, "weight_drop": 0.3, "delta_clip": 1e-3, "recompute": True}


def test_still_computes_in_training_what_a_call_does(cell, rng):
    """The same bits, at each call; the parameters are copies, and the layer and its generator are left alone."""
    leak = {"leak": 0.6} if cell.startswith("rnn") else {}
    layer = make_layer(cell, 3, 4, 2, dropout=0.5, bidirectional=True, seed=0, **EVERYTHING, **leak)
    generator, x = layer._random_state(), rng.standard_normal((6, 3, 3)).astype(np.float32)
    twin, expected = layer.still(), layer(x, lengths=[6, 0, 3])[0]
    for _ in range(2):
        np.testing.assert_array_equal(twin.forward(x, lengths=[6, 0, 3])[0], expected)
    assert layer._random_state() == generator
    twin.params["weight_hh_l0"][...] = 0
    assert layer.params["weight_hh_l0"].any()


def test_gradients_of_a_still_layer_are_those_of_a_call(cell, rng):
    """By central differences: nothing is clipped or drawn on the way back either."""
    layer = make_layer(cell, 2, 3, dtype=np.float64, seed=0, **EVERYTHING)
    x, dy = rng.standard_normal((5, 2, 2)), rng.standard_normal((5, 2, 3))
    twin = layer.still()
    *_, tape = twin.forward(x)
    dx, _ = twin.backward(tape, dy)
    slopes = central_differences(lambda x: float((layer(x)[0] * dy).sum()), x)
    np.testing.assert_allclose(dx, slopes, atol=1e-8)


MISFITS = {
    "fraction_h": [(5,), (4,), (7, 2, 4), (6, 3, 4), (2, 4)],
    "mask": [(4,), (3, 4), (2, 5), (6, 2, 4)],
}


@pytest.mark.parametrize(("name", "shape"), [(name, shape) for name, shapes in MISFITS.items() for shape in shapes])
def test_an_array_that_does_not_fit_is_named(name, shape):
    """With what it should be and what it is; the engine would read beyond its end."""
    layer, x = fr.GRU(3, 4, seed=0), np.zeros((6, 2, 3), np.float32)
    y, final = np.empty((6, 2, 4), np.float32), np.empty((2, 4), np.float32)
    dtype = np.float64 if name == "fraction_h" and shape == (4,) else np.float32
    update = fr.functional.StateUpdate(**{name: np.ones(shape, dtype)})
    pack = layer._weights[0][0].pack()
    expected = r"\(6, 2, 4\) or \(4,\)" if name == "fraction_h" else r"a C-ordered \(2, 4\)"
    with pytest.raises(ValueError, match=rf"{name}: expected {expected} of float32, got {re.escape(str(shape))} of "):
        fr.functional.forward(layer.cell, pack, x, y, (None, None), (final, None), state_update=update)


def test_a_mask_in_another_order_is_refused():
    layer, x = fr.GRU(3, 4, seed=0), np.zeros((6, 2, 3), np.float32)
    y, final = np.empty((6, 2, 4), np.float32), np.empty((2, 4), np.float32)
    update = fr.functional.StateUpdate(mask=np.ones((4, 4), np.float32)[::2])
    with pytest.raises(ValueError, match="mask: expected a C-ordered"):
        fr.functional.forward(
            layer.cell, layer._weights[0][0].pack(), x, y, (None, None), (final, None), state_update=update
        )
