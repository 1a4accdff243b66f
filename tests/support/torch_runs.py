# SPDX-License-Identifier: BSD-3-Clause
"""fastrnn on a case of `torch_cases`, and its comparison with what PyTorch computed."""

import numpy as np
from support.tolerance import assert_close
from support.torch_cases import GATES, parameters

import fastrnn as fr


def build(case):
    """Build the network of a case in fastrnn, with fastrnn's own parameters."""
    _, _, inputs, hidden = case.size
    options = {
        "num_layers": case.layers,
        "bias": case.bias,
        "batch_first": case.batch_first,
        "bidirectional": case.bidirectional,
        "dtype": np.dtype(case.dtype),
        "seed": 0,
    }
    if case.cell == "lstm":
        return fr.LSTM(inputs, hidden, **options)
    if case.cell == "gru":
        return fr.GRU(inputs, hidden, reset_after=True, **options)
    return fr.RNN(inputs, hidden, nonlinearity=case.cell.removeprefix("rnn_"), **options)


def pack(case, arrays, pattern):
    """Join the parts of a state: `h` or `(h, c)`, or None if the case has none."""
    parts = tuple(arrays.get(pattern.format(part)) for part in case.states)
    if parts[0] is None:
        return None
    return parts if case.cell == "lstm" else parts[0]


def unpack(case, state, pattern):
    """Split a state into its named parts."""
    parts = state if case.cell == "lstm" else (state,)
    return {pattern.format(p): value for p, value in zip(case.states, parts, strict=True)}


def run_fastrnn(case, given):
    """Run fastrnn forward and backward; return the same names as `run_torch`."""
    layer = build(case)
    layer.load_state_dict(parameters(given))
    state, lengths = pack(case, given, "{}0"), given.get("lengths")

    y, last, tape = layer.forward(given["x"], state=state, lengths=lengths)
    result = {"y": y, **unpack(case, last, "{}n")}
    result = {name: np.array(value) for name, value in result.items()}  # before backward

    same_y, same_last = layer(given["x"], state, lengths)
    for name, value in {"y": same_y, **unpack(case, same_last, "{}n")}.items():
        np.testing.assert_array_equal(value, result[name], f"{name} of inference, to the bit")

    dx, dstate = layer.backward(tape, given["dy"], dstate=pack(case, given, "d{}n"))
    result["dx"] = dx
    if case.state:
        result |= unpack(case, dstate, "d{}0")
    result |= {f"grad.{name}": value for name, value in layer.grads.items()}
    assert {value.dtype for value in result.values()} == {np.dtype(case.dtype)}
    return result


def summed(case, name):
    """The length of the longest sum behind one element of the result `name`."""
    T, N, inputs, H = case.size
    if case.layers > 1:
        inputs = max(inputs, case.directions * H)
    if name in ("y", "hn", "cn"):
        return inputs + H  # over the inputs and the state
    if name.startswith("grad."):
        return T * N  # over all steps of all rows
    return GATES[case.cell] * H * case.directions  # over the gates


def compare(case, actual, expected):
    """Check every result of fastrnn, and that nothing lies beyond the end of a row."""
    assert actual.keys() == expected.keys()
    for name, value in actual.items():
        assert_close(
            value,
            expected[name],
            np.dtype(case.dtype),
            backward=name.startswith(("d", "grad.")),
            bidirectional=case.bidirectional,
            terms=summed(case, name),
            steps=case.size[0] * case.layers,
            what=f"{case.name}: {name}",
        )
    if case.lengths:
        beyond = np.arange(case.size[0])[:, None] >= np.array(case.lengths)  # (T, N)
        beyond = beyond.T if case.batch_first else beyond
        assert not actual["y"][beyond].any(), "y beyond a row's length"
        assert not actual["dx"][beyond].any(), "dx beyond a row's length"


def check(case, given, expected):
    """The one check, of frozen and live results alike. What is given is read-only."""
    for array in given.values():
        array.setflags(write=False)
    compare(case, run_fastrnn(case, given), expected)
