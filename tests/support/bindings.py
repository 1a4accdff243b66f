# SPDX-License-Identifier: BSD-3-Clause
"""Calls of the entries of `_core`, with arrays that fit, by name, and what can be wrong with an array."""

import numpy as np
from support.bindings_pooling import POOLING

from fastrnn import _core

T, N, I, H = 6, 3, 4, 5
LENGTHS = [6, 4, 1]  # of rows 2, 0, 1
R = sum(LENGTHS)
LSTM, GATES, SAVED = _core.CELLS["lstm"][:3]


def ones(*shape):
    return np.ones(shape, np.float32)


def order_arrays():
    running = [sum(length > s for length in LENGTHS) for s in range(T)]
    columns = [2, 0, 1], LENGTHS, np.cumsum([0, *running])
    return dict(zip(("rows", "lengths", "first"), (np.array(column, np.intp) for column in columns), strict=True))


def length_arrays():
    return {"lengths": np.array(LENGTHS, np.intp)}


def packed_arrays():
    return {"batch_sizes": np.array([3, 2, 2, 1], np.intp), "sorted_indices": np.array([2, 0, 1], np.intp)}


def state_update_arrays():
    return {"fraction_h": ones(T, N, H), "fraction_c": ones(T, N, H), "mask": ones(N, H)}


def weight_arrays(inputs=I):
    rows = GATES * H
    return {"w_ih": ones(rows, inputs), "w_hh": ones(rows, H), "b_ih": ones(rows), "b_hh": ones(rows)}


def weights(arrays=None, inputs=I):
    arrays = weight_arrays() if arrays is None else arrays
    return _core.Weights(LSTM, 0, inputs, H, _core.Arrays(arrays), [*arrays], _core.StateUpdate())


def forward_arrays():
    states = {name: ones(N, H) for name in ("h_0", "c_0", "h_n", "c_n")}
    return {"x": ones(T, N, I), "y": ones(T, N, H), **states, "gates": ones(R, SAVED, H), "c": ones(R, H)}


def backward_arrays():
    states = {name: ones(N, H) for name in ("h_0", "c_0", "dh_n", "dc_n", "dh_0", "dc_0")}
    sequences = {"x": ones(T, N, I), "dx": ones(T, N, I), "y": ones(T, N, H), "dy": ones(T, N, H)}
    grads = {name.replace("w", "dw").replace("b", "db"): array for name, array in weight_arrays().items()}
    return states | sequences | grads | {"gates": ones(R, SAVED, H), "c": ones(R, H)}


def part_arrays():
    """Parts of three rows of six steps: all of row 0, steps 2..5 of row 2, and step 5 of row 0 once more."""
    places = {"source": np.array([0, 2, 0], np.intp), "start": np.array([0, 2, 5], np.intp)}
    return order_arrays() | places


def recurrence(order=None):
    order = order_arrays() if order is None else order
    columns = (*order.values(), None, None)[:5]
    return _core.Recurrence(columns, False, 1)


def forward_entry(a, update=None):
    pairs = [(a[h], a[c]) for h, c in (("h_0", "c_0"), ("h_n", "c_n"), ("gates", "c"))]
    return (weights().pack(), update or _core.StateUpdate(), *pairs)


def forward(a, update=None, recurrence=recurrence):
    return _core.forward(recurrence(), a["x"], [a["y"]], [forward_entry(a, update)])


def backward(a):
    pairs = [(a[h], a[c]) for h, c in (("h_0", "c_0"), ("gates", "c"), ("dh_n", "dc_n"), ("dh_0", "dc_0"))]
    grads = [a[name] for name in ("dw_ih", "dw_hh", "db_ih", "db_hh")]
    entry = (weights().pack(), _core.StateUpdate(), *pairs, grads)
    return _core.backward(recurrence(), a["x"], [a["y"]], [entry], ([a["dy"]], a["dx"]))


def gate_gradients_arrays():
    names = "x", "dx", "y", "h_0", "gates", "dw_ih", "dw_hh", "db_ih", "db_hh"
    return {name: array for name, array in backward_arrays().items() if name in names}


def gate_gradients(a):
    grads = [a[name] for name in ("dw_ih", "dw_hh", "db_ih", "db_hh")]
    nothing = None, None
    entry = (weights().pack(), _core.StateUpdate(), (a["h_0"], None), (a["gates"], None), nothing, nothing, grads)
    return _core.backward(recurrence(), a["x"], [a["y"]], [entry], ([None], a["dx"]), gates_done=True)


def two_layers(a):
    """The lower one with dropout behind it, and reading as many features as it has units."""
    below = weights(weight_arrays(H), H).pack()
    arrays = forward_arrays()
    entries = [(pack, _core.StateUpdate(), *forward_entry(arrays)[2:]) for pack in (below, below)]
    dropout = 2.0, [a["kept"]], [a["dropped"]]
    return _core.forward(recurrence(), ones(T, N, H), [ones(T, N, H), ones(T, N, H)], entries, dropout)


def stepper(a, inputs=I):
    return _core.Stepper([(weights(inputs=inputs), a["h"], a["c"])], N, lambda: 1)


def step(a):
    return stepper({"h": ones(N, H), "c": ones(N, H)}).step(a["x"], a["out"])


def inference(a):
    fast = _core.Inference([weights()], 1, 2, False, lambda: 1, np.empty, np.ndarray, a["like"].dtype)
    return fast(a["x"], (a["h"], a["c"]))


def training_arrays():
    grads = {f"d{name}": array for name, array in weight_arrays().items()}
    return {"x": ones(T, N, I), "dy": ones(T, N, H), "dh": ones(1, N, H), "dc": ones(1, N, H), "like": ones(1)} | grads


def training(a):
    """A step forward and back."""
    grads = [[a[f"d{name}"] for name in weight_arrays()]]
    fast = _core.Training([weights()], 1, 2, False, lambda: 1, np.empty, np.ndarray, a["like"].dtype, grads)
    passed = fast.forward(a["x"], None)
    return passed and fast.backward(passed[2], a["dy"], (a["dh"], a["dc"]))


def update(a):
    """The parameter in question is the second."""
    rule = _core.Rule("adam", rate=0.1)
    return _core.update([(rule, *(ones(2) for _ in "pgmsv")), (rule, *a.values())], 1)


def cross_entropy_arrays():
    doubles = {name: np.ones(3) for name in ("peak", "scale", "losses")}
    return {"z": ones(3, 7), "target": np.array([6, -1, 0], np.intp), "spread": ones(3, 7), "dz": ones(3, 7)} | doubles


def cross_entropy(a):
    return _core.cross_entropy(*(a[name] for name in ("z", "target", "peak", "spread", "scale", "dz", "losses")), 1)


def ctc_arrays():
    rows = {"labels": np.array([[1, 2], [3, 3], [1, 0]], np.intp), "counts": np.array([2, 2, 1], np.intp)}
    return (
        {"z": ones(T, 3, 4), "dz": ones(T, 3, 4), "steps": np.array([6, 4, 0], np.intp)}
        | rows
        | {name: np.ones(3) for name in ("scale", "losses")}
    )


def ctc(a):
    rows = a["labels"], a["counts"], a["steps"]
    return _core.ctc(a["z"], rows, 0, False, a["scale"], a["dz"], a["losses"], 1)


def attention_arrays():
    """Of 2 queries of 3 rows, and a memory of 4 steps."""
    keys = {"keys": ones(3, 4, 5), "values": ones(3, 4, 6), "v": ones(5), "lengths": np.array([4, 0, 2], np.intp)}
    return keys | {"query": ones(2, 3, 5), "weights": ones(2, 3, 4), "context": ones(2, 3, 6)}


def attention_memory(a):
    return tuple(a[name] for name in ("keys", "values", "v", "lengths"))


def attention(a):
    return _core.attention(attention_memory(a), a["query"], a["context"], a["weights"], 1)


def attention_back_arrays():
    arrays = attention_arrays()
    arrays |= {"dcontext": arrays.pop("context"), "dweights": ones(2, 3, 4), "dscores": ones(2, 3, 4)}
    return arrays | {"dquery": ones(2, 3, 5), "dhidden": ones(3, 4, 5), "dv": ones(3, 5)}


def attention_back(a):
    passed, upstream = (a["query"], a["weights"]), (a["dcontext"], a["dweights"])
    results = tuple(a[name] for name in ("dscores", "dquery", "dhidden", "dv"))
    return _core.attention_back(attention_memory(a), passed, upstream, results, 1)


def attention_outer_arrays():
    lengths = {"lengths": np.array([4, 0, 2], np.intp)}
    return {"columns": ones(2, 3, 4), "rows": ones(2, 3, 6), "total": ones(3, 4, 6)} | lengths


def attention_outer(a):
    return _core.attention_outer(a["columns"], a["rows"], a["lengths"], a["total"], 1)


# entry -> (its arrays, a call with them, the names of those that it writes)
ENTRIES = {
    "Recurrence": (order_arrays, recurrence, ()),
    "Recurrence of parts": (part_arrays, recurrence, ()),
    "gradient_lengths": (lambda: {"dy": ones(T, N, H)}, lambda a: _core.gradient_lengths(a["dy"]), ()),
    "sorted_by_length": (length_arrays, lambda a: _core.sorted_by_length(a["lengths"], T), ()),
    "packing": (length_arrays, lambda a: _core.packing(a["lengths"], R), ()),
    "StateUpdate": (state_update_arrays, lambda a: forward(forward_arrays(), _core.StateUpdate(*a.values())), ()),
    "Weights": (weight_arrays, weights, ("w_ih", "w_hh", "b_ih", "b_hh")),
    "forward": (forward_arrays, forward, ("y", "h_n", "c_n", "gates", "c")),
    "backward": (backward_arrays, backward, ("gates", "dx", "dh_0", "dc_0", "dw_ih", "dw_hh", "db_ih", "db_hh")),
    "backward of gates": (
        gate_gradients_arrays,
        gate_gradients,
        ("dx", "dw_ih", "dw_hh", "db_ih", "db_hh"),
    ),
    "dropout": (lambda: {"kept": np.ones((T, N, H), bool), "dropped": ones(T, N, H)}, two_layers, ("dropped",)),
    "Stepper": (lambda: {"h": ones(N, H), "c": ones(N, H)}, stepper, ("h", "c")),
    "Stepper.step_rows": (
        lambda: {"x": ones(2, I), "rows": np.array([2, 0], np.intp), "out": ones(2, H)},
        lambda a: stepper({"h": ones(N, H), "c": ones(N, H)}).step_rows(a["x"], a["rows"], a["out"]),
        ("out",),
    ),
    "sums_of_squares": (lambda: {"x": ones(3, 7)}, lambda a: _core.sums_of_squares([ones(2), a["x"]]), ()),
    "cross_entropy": (cross_entropy_arrays, cross_entropy, ("dz", "losses")),
    "ctc": (ctc_arrays, ctc, ("dz", "losses")),
    "attention": (attention_arrays, attention, ("context", "weights")),
    "attention_back": (attention_back_arrays, attention_back, ("dscores", "dquery", "dhidden", "dv")),
    "attention_outer": (attention_outer_arrays, attention_outer, ("total",)),
    "activation": (lambda: {"x": ones(3, 7), "y": ones(3, 7)}, lambda a: _core.activation("tanh", *a.values()), ("y",)),
    "gemm": (lambda: {"a": ones(2, 3), "b": ones(3, 4), "c": ones(2, 4)}, lambda a: _core.gemm(**a), ("c",)),
} | POOLING
# Those that answer False or None for arrays that they do not take.
FAST = {
    "Stepper.step": (lambda: {"x": ones(N, I), "out": ones(N, H)}, step, ("out",)),
    "Inference": (
        lambda: {"x": ones(T, N, I), "h": ones(1, N, H), "c": ones(1, N, H), "like": ones(1)},
        inference,
        (),
    ),
    "Training": (training_arrays, training, ("dw_ih", "dw_hh", "db_ih", "db_hh")),
    "order_of_packed": (packed_arrays, lambda a: _core.order_of_packed(*a.values()), ()),
    "update": (lambda: {name: ones(3, 7) for name in "pgmsv"}, update, tuple("pmsv")),
    "set_to_zero": (
        lambda: {"x": ones(3, 7)},
        lambda a: _core.set_to_zero([ones(2), a["x"]]),
        ("x",),
    ),
}
ROWS = {"x", "y", "dx", "dy", "fraction_h", "fraction_c", "out"}  # any strides but of the last axis, where they have 3
