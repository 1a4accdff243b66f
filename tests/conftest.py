# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures that put every kernel test on every engine, and the one table of tolerances."""

import importlib.util
import math
import os
import signal
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest

import fastrnn as fr
from fastrnn import _core, functional, reference
from fastrnn.functional import CELLS

hypothesis.settings.register_profile("the same examples on every run", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("the same examples on every run")

EXAMPLES = Path(__file__).parent.parent / "examples"
RECURRENT_CELLS = [name for name, cell in CELLS.items() if cell.recurrent]


def tolerance(dtype, *, backward=False, bidirectional=False, terms, steps):
    """How far a result may be from the exact one, relative to the largest magnitude in it.

    float64: 1e-12, some thousand roundings. float32: 4 (1 + backward) (1 + bidirectional) ceil(log2(terms steps)) eps,
    the threshold of oneDNN's tests for recurrent layers: rounding errors of a sum of `terms` products, carried through
    `steps` steps of a contraction, grow like the logarithm of their number; backward runs through twice as many
    operations.

    Parameters
    ----------
    terms : int
        Products in the longest sum: I + H forward, G * H or T * N backward.
    steps : int
        Steps that follow one another: T times the layers.
    """
    if np.dtype(dtype) == np.float64:
        return 1e-12
    eps = float(np.finfo(np.float32).eps)
    return 4 * (1 + backward) * (1 + bidirectional) * math.ceil(math.log2(max(2, terms * steps))) * eps


def assert_close(actual, expected, dtype, *, backward=False, bidirectional=False, terms, steps, what=""):
    """`actual` is within `tolerance` of `expected`; NaN and infinities are in the same places."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], err_msg=what)
    if not finite.any():
        return
    limit = tolerance(dtype, backward=backward, bidirectional=bidirectional, terms=terms, steps=steps)
    scale = np.abs(expected[finite]).max()
    error = np.abs(actual[finite] - expected[finite]).max()
    assert error <= limit * scale, f"{what}: error {error:.3g}, allowed {limit:.3g} * {scale:.3g}"


def central_differences(function, x, step=1e-5):
    """The gradient of a number with respect to x (float64), with errors of about 1e-11 of the number."""
    slopes = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += step
        down[at] -= step
        slopes[at] = (function(up) - function(down)) / (2 * step)
    return slopes


@pytest.fixture(params=_core.BUILT_ISAS)
def isa(request):
    """Each engine in this build; those that the machine cannot run are skipped, with a word."""
    if request.param not in fr.isas():
        pytest.skip(f"this machine cannot run the {request.param} engine")
    before = _core.get_isa()
    _core.set_isa(request.param)
    assert _core.get_isa() == request.param
    yield request.param
    _core.set_isa(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(params=RECURRENT_CELLS)
def cell(request):
    """The name of each recurrent cell, as in reference.CELLS."""
    return request.param


@pytest.fixture
def rng(request):
    """Numbers that depend on the test's name alone."""
    return np.random.default_rng(list(request.node.nodeid.encode()))


@pytest.fixture
def interruptible():
    """Python's own handler of Ctrl-C, whatever started the tests: the background jobs of a shell ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def make_layer(cell, input_size, hidden_size, num_layers=1, **options):
    """The layer of a cell's name."""
    if cell == "lstm":
        return fr.LSTM(input_size, hidden_size, num_layers, **options)
    if cell.startswith("gru"):
        return fr.GRU(input_size, hidden_size, num_layers, reset_after=cell == "gru", **options)
    return fr.RNN(input_size, hidden_size, num_layers, nonlinearity=cell.removeprefix("rnn_"), **options)


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def as_state(arrays):
    arrays = tuple(arrays)
    return arrays if len(arrays) > 1 else arrays[0]


def random_state(layer, batch, rng):
    """A random state of a layer, in its dtype."""
    shape = (layer.num_layers * layer.num_directions, batch, layer.hidden_size)
    return as_state(rng.standard_normal(shape).astype(layer.dtype) for _ in layer._parts)


def random_lengths(T, N, rng):
    """Lengths in 0..T in no order; with two rows or more, one is empty and one is full."""
    lengths = rng.integers(0, T + 1, N)
    if N > 1:
        lengths[rng.permutation(N)[:2]] = 0, T
    return lengths


def run_reference(
    cell, layer, x, state=None, lengths=None, dy=None, dstate=None, *, parameters=None, state_updates=None
):
    """A layer of one or more layers and directions in the NumPy reference, in float64, with the layer's parameters.

    Others may be given, and a `functional.StateUpdate` for each layer and direction, [layer * directions + direction].
    Returns y and the final state; with `dy` also dx, the gradient of the initial state and the gradients by name.
    """
    parameters = {n: array.astype(np.float64) for n, array in (parameters or layer.state_dict()).items()}
    state_updates = state_updates or [functional.PLAIN] * (layer.num_layers * layer.num_directions)
    L, D, H = layer.num_layers, layer.num_directions, layer.hidden_size
    y, parts = np.asarray(x, np.float64), len(layer._parts)
    N = y.shape[1]
    states = [np.zeros((L * D, N, H))] * parts if state is None else [a.astype(np.float64) for a in as_tuple(state)]
    dstates = [np.zeros((L * D, N, H))] * parts if dstate is None else [a.astype(np.float64) for a in as_tuple(dstate)]
    final, dinitial = (
        [np.zeros((L * D, N, H)) for _ in states],
        [np.zeros((L * D, N, H)) for _ in states],
    )
    pick = lambda arrays, k: (arrays[0][k], arrays[1][k] if parts > 1 else None)  # noqa: E731
    tapes, grads = {}, {}
    for layer_index in range(L):
        outputs = []
        for direction in range(D):
            k = layer_index * D + direction
            names = layer._names(layer_index, direction)
            out, h, c, tapes[k] = reference.forward(
                cell,
                y,
                *pick(states, k),
                *map(parameters.get, names),
                lengths=lengths,
                reverse=direction == 1,
                **{name: share for name, share in state_updates[k]._asdict().items() if name != "clip"},
            )
            outputs.append(out)
            for array, value in zip(final, (h, c), strict=False):
                array[k] = value
        y = np.concatenate(outputs, axis=-1)
    if dy is None:
        return y, as_state(final)
    dy = np.asarray(dy, np.float64)
    for layer_index in reversed(range(L)):
        dx = 0
        for direction in range(D):
            k = layer_index * D + direction
            half, clip = dy[..., direction * H : (direction + 1) * H], state_updates[k].clip or np.inf
            back = reference.backward(cell, tapes[k], half, *pick(dstates, k), clip=clip)
            dx = dx + back[0]
            for array, value in zip(dinitial, back[1:3], strict=False):
                array[k] = value
            grads |= {
                n: g for n, g in zip(layer._names(layer_index, direction), back[3:], strict=True) if g is not None
            }
        dy = dx
    return y, as_state(final), dy, as_state(dinitial), grads


def pytest_report_header():
    torch = "live" if importlib.util.find_spec("torch") else "not installed: only its frozen results are checked"
    missing = [isa for isa in _core.BUILT_ISAS if isa not in fr.isas()]
    return [
        f"fastrnn {fr.__version__} from {os.path.dirname(fr.__file__)}",
        f"engines: {', '.join(fr.isas())} (in use: {_core.get_isa()}); not runnable: {', '.join(missing) or 'none'}",
        f"OpenMP: {'on' if _core.openmp() else 'off'}, threads: {fr.get_num_threads()}; PyTorch: {torch}",
    ]


# -- the examples --------------------------------------------------------------------------------------------------


def import_example(name):
    """A fresh module of examples/<name>.py."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def load_example(request, monkeypatch):
    """Loads the example that the test file is named after; each call anew."""
    monkeypatch.syspath_prepend(str(EXAMPLES))  # as if it were run: one may import another
    return lambda: import_example(request.path.stem.removeprefix("test_example_"))


@pytest.fixture
def example(load_example):
    return load_example()


@pytest.fixture
def run(example, monkeypatch, capsys):
    """Runs the example with arguments of the command line; returns what it prints."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [example.__file__, *map(str, arguments)])
        example.main()
        return capsys.readouterr().out

    return run
