# SPDX-License-Identifier: BSD-3-Clause
"""What streams of every kind share: their methods, their repr, copies and pickles."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from support.cells import ReferenceCell
from support.layers import argument_refused, assert_same_bits
from support.streams import block_for, made, same_state

import fastrnn as fr


def test_every_stream_has_the_methods_of_a_stream(name):
    stream = made(name).stream()
    for method in ("step", "steps", "reset"):
        ours, theirs = (inspect.signature(getattr(kind, method)) for kind in (type(stream), fr.Stream))
        assert list(ours.parameters) == list(theirs.parameters)
    assert isinstance(type(stream).state, property) and stream.batch == 1


def test_its_repr_says_how_it_was_made(name):
    model = made(name)
    assert repr(model.stream(batch=3)) == f"{model!r}.stream(batch=3)"


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))],
    ids=["copy", "deep", "pickle"],
)
def test_a_copy_goes_on_from_the_same_state(name, copied, rng):
    """And neither changes the other."""
    stream, block = made(name).stream(2), block_for(name, rng)
    stream.steps(block[:3])
    other = copied(stream)
    same_state(other.state, stream.state)
    y = stream.steps(block[3:])
    assert_same_bits(other.steps(block[3:]), y)
    assert type(other) is type(stream) and other.batch == 2


def test_only_copy_shares_the_layer(rng):
    model = made("engine")
    stream, block = model.stream(), block_for("engine", rng, batch=1)
    shallow, deep = copy.copy(stream), copy.deepcopy(stream)
    expected = stream.step(block[0])
    model[2].params["bias"][...] += 1
    assert_same_bits(deep.step(block[0]), expected)
    assert_same_bits(shallow.step(block[0]), model(block[:1])[0][0])


def test_a_stream_and_its_model_are_copied_together(rng):
    """The copy of the stream belongs to the copy of the model."""
    model = made("engine")
    copied, stream = copy.deepcopy((model, model.stream()))
    block = block_for("engine", rng, batch=1)
    copied[2].params["bias"][...] += 1
    assert_same_bits(stream.steps(block), copied(block)[0])


@pytest.mark.parametrize("kind", ["layer", "model", "residual", "cell", "stateless"])
@pytest.mark.parametrize("batch", [1, 3])
def test_blocks_with_resets(rng, kind, batch):
    """Rows return to their initial state before the steps that are marked, which may be learned."""
    model = {
        "layer": lambda: fr.LSTM(4, 4, 2, learn_initial_state=True, seed=0),
        "model": lambda: fr.Sequential(fr.Linear(4, 4, seed=0), fr.LayerNorm(4), fr.GRU(4, 4, seed=1)),
        "residual": lambda: fr.Residual(fr.GRU(4, 4, seed=0)),
        "cell": lambda: fr.Recurrent(ReferenceCell(4, 4, seed=0)),
        "stateless": lambda: fr.Sequential(fr.Residual(fr.Linear(4, 4, seed=0))),
    }[kind]()
    for _, array in model.params.items():
        array += 0.1
    x, resets = rng.standard_normal((9, batch, 4)).astype(np.float32), rng.random((9, batch)) < 0.3
    stream, expected = model.stream(batch), []
    for x_t, rows in zip(x, resets, strict=True):
        stream.reset(rows)
        expected.append(stream.step(x_t))
    again, out = model.stream(batch), np.empty((9, batch, 4), np.float32)
    assert_same_bits(again.steps(x, resets=resets), np.array(expected))
    again.reset()
    assert again.steps(x, out, resets) is out
    assert_same_bits(out, np.array(expected))
    assert_same_bits(again.state, stream.state)
    for wrong, error, words in (
        (resets.astype(int), TypeError, "expected bools"),
        (resets.T[:, :5], ValueError, f"(9, {batch})"),
        (resets[:, :0], ValueError, f"(9, {batch})"),
    ):
        with argument_refused(error, "resets", words):
            again.steps(x, resets=wrong)
    with argument_refused(ValueError, "out", "9 steps"):
        again.steps(x, out[:4], resets)
    assert_same_bits(again.state, stream.state)


@pytest.mark.parametrize("kind", ["layer", "model", "convolution"])
def test_blocks_with_resets_that_do_not_fit_change_nothing(rng, kind):
    """Neither the rows that begin anew are reset, nor are the steps before a wrong token read."""
    model = {
        "layer": lambda: fr.GRU(4, 4, seed=0),
        "model": lambda: fr.Sequential(fr.CausalConv1d(4, 4, 2, seed=0), fr.GRU(4, 4, seed=1)),
        "convolution": lambda: fr.CausalConv1d(4, 4, 3, seed=0),
    }[kind]()
    stream, resets = model.stream(2), np.array([[True, False], [False, True]])
    stream.steps(rng.standard_normal((5, 2, 4)).astype(np.float32))
    before, block = stream.state, np.ones((2, 2, 4), np.float32)
    for name, wrong in (
        ("block", {"block": block.astype(np.float64)}),
        ("block", {"block": block[..., :3]}),
        ("out", {"block": block, "out": np.empty((2, 2, 5), np.float32)}),
        ("out", {"block": block, "out": np.empty((2, 2, 4))}),
    ):
        with argument_refused((TypeError, ValueError), name, "expected"):
            stream.steps(resets=resets, **wrong)
        same_state(stream.state, before)


def test_a_wrong_token_behind_a_reset_changes_nothing(rng):
    model = fr.Sequential(fr.Embedding(5, 4, seed=0), fr.GRU(4, 4, seed=1))
    stream, tokens = model.stream(2), rng.integers(0, 5, (6, 2))
    stream.steps(tokens)
    before = stream.state
    tokens[5, 1] = 5
    with argument_refused(ValueError, "tokens", "0..4"):
        stream.steps(tokens, resets=np.arange(12).reshape(6, 2) % 5 == 3)
    same_state(stream.state, before)


def test_what_is_wrong_with_out_is_said():
    stream, x = fr.GRU(3, 2, seed=0).stream(2), np.ones((2, 3), np.float32)
    read_only = np.zeros((2, 2), np.float32)
    read_only.flags.writeable = False
    for out, got in [
        (np.zeros((2, 3), np.float32), r"shape \(2, 3\)"),
        (np.zeros((2, 4), np.float32)[:, ::2], r"strides \(16, 8\)"),
        (read_only, "a read-only one"),
    ]:
        with pytest.raises(ValueError, match=rf"out: expected a writable C-ordered array of shape \(2, 2\), got {got}"):
            stream.step(x, out=out)
