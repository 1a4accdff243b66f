# SPDX-License-Identifier: BSD-3-Clause
"""Every entry of `_core` compares each array with what C will take it for, and names one that does not fit."""

import re

import numpy as np
import pytest
from support import bindings, damages
from support.bindings import ENTRIES, FAST, H, I, N, T, ones
from support.child import in_child
from support.damages import DAMAGES, frozen

from fastrnn import _core

EVERY = {f"{entry} {name}": (entry, name) for entry, (arrays, _, _) in ENTRIES.items() for name in arrays()}
WRITTEN = {f"{entry} {name}": (entry, name) for entry, (_, _, written) in ENTRIES.items() for name in written}

# What says how many rows there are, and of which numbers, and what is then found not to fit it.
SAYS_SIZES = {
    "z": "z|target|dz|labels|steps",
    "keys": "keys|values",
    "query": "query|context|weights",
    "columns": "columns|rows",
    "total": "total|columns",
}

# Entries of one array, which may have any size.
TAKES = {"gradient_lengths": ("shorter", "longer", "empty", "wider")}
TAKES["sorted_by_length"] = TAKES["packing"] = ("shorter", "longer", "empty")
TAKES["sums_of_squares"] = (*TAKES["gradient_lengths"], "one_more_axis", "no_axis")
TAKES["max_pool x"] = ("longer",)  # of any number of steps
TAKES["set_to_zero"] = (*TAKES["gradient_lengths"], "one_more_axis")


@pytest.mark.parametrize("entry", [*ENTRIES, *FAST])
def test_arrays_that_fit_are_taken(entry):
    arrays, call, _ = (ENTRIES | FAST)[entry]
    result = call(arrays())
    assert entry not in FAST or result not in (None, False)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("entry", "name"), EVERY.values(), ids=EVERY)
def test_an_array_that_does_not_fit_is_named(entry, name, damage):
    arrays, call, _ = ENTRIES[entry]
    given = arrays()
    given[name] = damage(given[name])
    if name == "kept" and damage.__name__ in ("swapped", "unaligned"):
        call(given)  # single bytes have no order and no alignment
        return
    if damage.__name__ in TAKES.get(entry, ()) + TAKES.get(f"{entry} {name}", ()):
        call(given)
        return
    with pytest.raises((TypeError, ValueError)) as caught:
        call(given)
    first = (
        "(rows|lengths|first|source|start|order)"
        if entry.startswith("Recurrence")
        else "[abc], b"
        if entry == "gemm"
        else name
    )
    like = "[xy]" if entry == "activation" else "[abc]" if entry == "gemm" else name
    sizes = "[xy]|mask|fraction_[hc]|order"  # x says how many steps and rows there are
    expected = (
        f"{sizes}" if name == "x" and entry in ("forward", "backward", "backward of gates") else f"{first}|{like}"
    )
    if (entry, name) == ("Stepper.step_rows", "rows"):  # says how many there are
        expected = "rows|out|x"
    if entry.startswith("max_pool") and name in ("x", "first", "lengths"):  # they say how many steps and rows there are
        expected = f"{name}|x|lengths|y"
    expected = SAYS_SIZES.get(name, expected)
    assert re.match(rf"({expected}): expected .*, got|({expected}): expected an array", str(caught.value))


@pytest.mark.parametrize(("entry", "name"), WRITTEN.values(), ids=WRITTEN)
def test_an_array_that_cannot_be_written_is_named(entry, name):
    arrays, call, _ = ENTRIES[entry]
    with pytest.raises(ValueError, match=f"^{name}: expected an array that can be written, got ndarray"):
        call(arrays() | {name: frozen(arrays()[name])})


@pytest.mark.parametrize("damage", [*DAMAGES, frozen])
@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("Stepper.step", "x"),
        ("Stepper.step", "out"),
        *(("Inference", name) for name in "xhc"),
        *(("Training", name) for name in bindings.training_arrays() if name != "like"),
        *(("update", name) for name in "pgmsv"),
        ("set_to_zero", "x"),
    ],
)
def test_the_fast_entries_leave_what_they_do_not_take_to_the_others(entry, name, damage):
    arrays, call, written = FAST[entry]
    given = arrays()
    given[name] = damage(given[name])
    fits = damage is frozen and name not in written or damage.__name__ in TAKES.get(entry, ())
    if entry == "Inference" and name == "x" and damage.__name__ in ("shorter", "longer"):
        fits = True  # another number of steps
    if entry == "Training" and name in ("dy", "dh", "dc", "x") and damage is frozen:
        fits = True
    assert (call(given) in (None, False)) != fits


@pytest.mark.parametrize(
    "entry", [name for name in ENTRIES if name != "StateUpdate" and not name.startswith("Recurrence")]
)
def test_none_in_place_of_an_array_is_named(entry):
    """Unless the call does without."""
    arrays, call, _ = ENTRIES[entry]
    optional = {"b_ih", "b_hh", "db_ih", "db_hh", "dx", "dy", "h_0", "c_0", "h_n", "dh_n", "dc_n", "dh_0", "dc_0"}
    optional |= {"gates", "c"} if entry == "forward" else {"dw_ih", "dw_hh"}  # gradients that nobody wants
    optional |= {"spread", "lengths", "dweights", "v"}
    optional -= {"gradient_lengths": {"dy"}, "sorted_by_length": {"lengths"}, "packing": {"lengths"}}.get(entry, set())
    optional -= {"lengths"} if entry.startswith("max_pool") else set()
    for name in arrays():
        given = arrays() | {name: None}
        if entry == "Weights":
            given = arrays()
            names = [None if each == name else each for each in given]
            call = lambda a, names=names: _core.Weights(  # noqa: E731
                bindings.LSTM, 0, I, H, _core.Arrays(a), names, _core.StateUpdate()
            )
        if name in optional:
            call(given)
            continue
        named = "x" if name == "first" and entry.startswith("max_pool") else name  # without it, x has three axes
        with pytest.raises((TypeError, ValueError), match=f"{named}: expected"):
            call(given)


def test_a_cell_without_a_cell_state_takes_none():
    """The engine has no memory for one."""
    code, gates, saved = _core.CELLS["gru"][:3]
    arrays = {"w_ih": ones(gates * H, I), "w_hh": ones(gates * H, H)}
    gru = _core.Weights(code, 0, I, H, _core.Arrays(arrays), [*arrays, None, None], _core.StateUpdate())
    plain, x, y, h = _core.Recurrence(None, False, 1), ones(T, N, I), ones(T, N, H), ones(N, H)
    one, tape = (gru.pack(), _core.StateUpdate()), (ones(T * N, saved, H), None)
    _core.forward(plain, x, [y], [(*one, (h, None), (h, None), tape)])
    grads = [*(np.zeros_like(array) for array in arrays.values()), None, None]
    with pytest.raises(ValueError, match="^dc_0: expected None, as the cell has none, got"):
        entry = (*one, (h, None), tape, (h, None), (h, ones(N, H)), grads)
        _core.backward(plain, x, [y], [entry], ([y], x))
    with pytest.raises(ValueError, match="^c_n: expected None"):
        _core.forward(plain, x, [y], [(*one, (h, None), (h, ones(N, H)), tape)])


@pytest.mark.parametrize("kind", ["Weights", "Recurrence", "Inference", "Stepper", "Block"])
def test_no_object_exists_without_what_it_needs(kind):
    cls = getattr(_core, kind)
    with pytest.raises(TypeError):
        cls.__new__(cls)


def test_what_can_be_made_without_arguments_is_harmless():
    pack = _core.Pack.__new__(_core.Pack)
    given = {name: array[:, :, :0] if array.ndim == 3 else array for name, array in bindings.forward_arrays().items()}
    with pytest.raises(ValueError, match="a size is out of range"):
        entry = (pack, _core.StateUpdate(), *[(None, None)] * 3)
        _core.forward(bindings.recurrence(), given["x"], [given["y"]], [entry])
    assert len(_core.Arrays.__new__(_core.Arrays)) == 0
    for made in map(object.__repr__, (_core.Array(), _core.Slot(), _core.StateUpdate(), _core.Exclusive())):
        assert made


def test_none_in_place_of_an_object_is_refused():
    for call in (
        lambda: _core.Weights(0, 0, I, H, None, [], _core.StateUpdate()),
        lambda: _core.Stepper([(None, None, None)], 1, lambda: 1),
        lambda: _core.Inference([None], 1, 1, False, lambda: 1, np.empty, np.ndarray, np.dtype("f")),
        lambda: _core.forward(None, None, [None], [(bindings.weights().pack(), _core.StateUpdate(), (), (), ())]),
        lambda: _core.forward(bindings.recurrence(), ones(T, N, I), [None], [(None, None, (), (), ())]),
        lambda: _core.forward(
            bindings.recurrence(), ones(T, N, I), [None], [(bindings.weights().pack(), None, (), (), ())]
        ),
    ):
        with pytest.raises(TypeError):
            call()


def test_layers_that_do_not_follow_each_other_are_refused():
    state = {"h": ones(N, H), "c": ones(N, H)}
    with pytest.raises(ValueError, match=f"layers: expected one that reads {H} features.*, got I={I}"):
        _core.Stepper([(bindings.weights(), *state.values())] * 2, N, lambda: 1)
    with pytest.raises(ValueError, match=f"layers: expected one that reads {H} features.*, got I={I}"):
        _core.Inference([bindings.weights()] * 2, 1, 2, False, lambda: 1, np.empty, np.ndarray, np.dtype("f"))
    for layers, rows in (([], N), ([(bindings.weights(), *state.values())], 0)):
        with pytest.raises(ValueError, match="layers: expected at least 1"):
            _core.Stepper(layers, rows, lambda: 1)


def test_an_engine_that_the_machine_cannot_run_cannot_be_chosen(monkeypatch):
    """Not even where the list of those that it can run has been changed."""
    monkeypatch.setattr(_core, "ISAS", ("quantum", *_core.BUILT_ISAS))
    with pytest.raises(ValueError, match="isa: "):
        _core.set_isa("quantum")


def mutate(seed, calls):
    """Calls with arrays that were resized, reshaped, cast or restrided in place or replaced, several in each call."""
    rng, counts = np.random.default_rng(seed), {"taken": 0, "refused": 0}
    entries = {**bindings.ENTRIES, **bindings.FAST}

    def changed(array):
        kind = rng.integers(8)
        if kind == 0:
            return damages.DAMAGES[rng.integers(len(damages.DAMAGES))](array)
        if kind == 1:
            array.resize(tuple(rng.integers(0, 9, rng.integers(1, 4))), refcheck=False)
        elif kind == 2:
            array.shape = (-1,) if rng.random() < 0.5 else array.shape[::-1]
        elif kind == 3:
            others = ["i4", "f4", "u1", "S4"] if array.itemsize == 4 else ["u1", "i1"]
            array = array.view(rng.choice(others)) if array.ndim else array
        elif kind == 4 and array.ndim:
            array = array[::-1]
        elif kind == 5:
            array.flags.writeable = False
        elif kind == 6:
            return None
        return array

    for _ in range(calls):
        arrays, call, _ = entries[[*entries][rng.integers(len(entries))]]
        given = {name: changed(array) if rng.random() < 0.4 else array for name, array in arrays().items()}
        try:
            call(given)
            counts["taken"] += 1
        except (TypeError, ValueError, AttributeError, MemoryError):
            counts["refused"] += 1
    return counts


def test_no_array_crashes_the_process():
    uses = "import os, sys\nsys.path.insert(0, {!r})\n".format(str(bindings.__file__).rpartition("/support/")[0])
    counts = in_child(mutate, 0, 6000, imports=uses + "import numpy as np\nfrom support import bindings, damages\n")
    assert counts["taken"] > 100 and counts["refused"] > 1000
