# SPDX-License-Identifier: BSD-3-Clause
"""state_dict and load_state_dict of every layer."""

import pickle
import types

import numpy as np
import pytest
from support.every_layer import WITH_PARAMETERS, call, inputs
from support.layers import (
    assert_same_arrays,
    assert_same_bits,
    refused,
    snapshot,
)

import fastrnn as fr
from fastrnn.nn._state_dict import renamed


def test_state_dict_is_a_copy(case, make):
    """Later changes of the layer do not reach it, changes of it do not reach the layer."""
    layer = make()
    state_dict, before = layer.state_dict(), snapshot(layer.stored)
    assert type(state_dict) is dict
    assert_same_arrays(state_dict, before)
    y = call(layer, inputs(case))
    for array in state_dict.values():
        array.fill(np.nan)
    assert_same_bits(call(layer, inputs(case)), y)
    state_dict = layer.state_dict()
    for array in layer.params.values():
        array.fill(np.nan)
    assert_same_arrays(state_dict, before)


def test_load_state_dict_brings_another_layer_to_the_same_bits(case, make):
    """Into the layer's own arrays; the dictionary is neither held nor changed."""
    layer, other = make(), make(seed=7)
    state_dict, arrays = layer.state_dict(), list(other.params.values())
    other.load_state_dict(state_dict)
    assert_same_arrays(other.stored, layer.stored)
    assert_same_bits(call(other, inputs(case)), call(layer, inputs(case)))
    assert all(a is b for a, b in zip(other.params.values(), arrays, strict=True))
    assert not any(np.shares_memory(a, b) for a in arrays for b in state_dict.values())


def test_load_state_dict_takes_any_mapping(make):
    """Another layer's params, a read-only view, names in another order, nested lists."""
    layer = make()
    for provided in (
        layer.stored,
        types.MappingProxyType(layer.state_dict()),
        dict(reversed(layer.state_dict().items())),
        {name: array.tolist() for name, array in layer.stored.items()},
    ):
        other = make(seed=7)
        other.load_state_dict(provided)
        assert_same_arrays(other.stored, layer.stored)


@pytest.mark.parametrize(("own", "other"), [("float32", "float64"), ("float64", "float32")])
def test_load_state_dict_converts_between_the_floats(case, make, own, other):
    layer, source = make(np.dtype(own)), make(np.dtype(other), seed=7)
    layer.load_state_dict(source.state_dict())
    assert_same_arrays(layer.params, {name: a.astype(own) for name, a in source.params.items()})
    assert call(layer, inputs(case, own)).dtype == own


def halved(layer, dtype):
    """The state_dict in 16 bits, and the numbers that these are in 32 or 64: exactly."""
    halves = {name: array.astype(dtype) for name, array in layer.state_dict().items()}
    return halves, {name: array.astype(layer.dtype) for name, array in halves.items()}


def test_load_state_dict_widens_float16(case, make, dtype):
    layer, (halves, wide) = make(dtype), halved(make(dtype, seed=7), np.float16)
    layer.load_state_dict(halves)
    assert_same_arrays(layer.stored, wide)


def test_load_state_dict_widens_bfloat16(dtype):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    layer, (halves, wide) = fr.GRU(3, 4, dtype=dtype), halved(fr.GRU(3, 4, dtype=dtype, seed=7), bfloat16)
    layer.load_state_dict(halves)
    assert_same_arrays(layer.stored, wide)


def with_last(value):
    """A state_dict with the last entry, which is checked last, made from it by `value`."""

    def spoil(state):
        name = list(state)[-1]
        return state | {name: value(state[name])}

    return spoil


# name -> (state_dict of another layer -> wrong one, error, words)
BAD_STATE_DICTS = {
    "missing": (lambda state: dict(list(state.items())[:-1]), ValueError, ["missing"]),
    "unknown": (lambda state: state | {"w": np.ones(1)}, ValueError, ["unknown w"]),
    "unknown number": (lambda state: state | {3: np.ones(1)}, ValueError, ["unknown 3"]),
    "short": (with_last(lambda array: array[:-1]), ValueError, ["expected shape", "got ("]),
    "rank": (with_last(lambda array: array[..., None]), ValueError, ["expected shape", ", 1)"]),
    "scalar": (with_last(lambda array: 1.0), ValueError, ["expected shape", "got ()"]),
    "integers": (with_last(lambda array: np.ones(array.shape, int)), TypeError, ["got int64"]),
    "other byte order": (with_last(lambda array: array.astype(">f4")), TypeError, ["got >f4"]),
    "complex": (with_last(lambda array: array + 0j), TypeError, ["got complex"]),
    "strings": (with_last(lambda array: array.astype(str)), TypeError, ["got <U"]),
    "None": (with_last(lambda array: None), TypeError, ["got None"]),
    "ragged": (with_last(lambda array: [[1.0], [1.0, 2.0]]), TypeError, ["got list"]),
    "no mapping": (lambda state: list(state.items()), TypeError, ["a mapping", "got list"]),
    "nothing": (lambda state: None, TypeError, ["a mapping", "got NoneType"]),
}


@pytest.mark.parametrize("case", WITH_PARAMETERS.values(), ids=WITH_PARAMETERS)
@pytest.mark.parametrize("bad", BAD_STATE_DICTS.values(), ids=BAD_STATE_DICTS)
def test_load_state_dict_checks_everything_before_it_writes(case, make, bad):
    """The message names the entry, and not one parameter has changed."""
    spoil, error, words = bad
    layer, state_dict = make(), make(seed=7).state_dict()
    before, last, y = snapshot(layer.params), list(state_dict)[-1], call(layer, inputs(case))
    with pytest.raises(error) as caught:
        layer.load_state_dict(spoil(state_dict))
    message = str(caught.value)
    assert message.startswith(("state_dict:", f"{last}:"))
    for word in words:
        assert word in message
    assert_same_arrays(layer.params, before)
    assert_same_bits(call(layer, inputs(case)), y)


def test_missing_and_unknown_names_are_all_listed():
    linear = fr.Linear(3, 4)
    with refused(ValueError, "Linear.state_dict()", "missing weight, bias", "unknown a, b"):
        linear.load_state_dict({"a": np.ones(1), "b": np.ones(1)})


def test_entries_of_a_state_dict_are_renamed():
    arrays = {"net.rnn.weight_ih_l0": 1, "net.fc.weight": 2, "scale": 3}
    assert renamed(arrays, {"net.rnn": "0", "net": "head", "scale": "2.weight"}) == {
        "0.weight_ih_l0": 1,
        "head.fc.weight": 2,
        "2.weight": 3,
    }
    assert [*renamed(arrays, {"": "model", "net": ""})] == ["rnn.weight_ih_l0", "fc.weight", "model.scale"]
    with pytest.raises(ValueError, match="rename: expected beginnings of net.rnn.weight_ih_l0, .*, got 'rnn'"):
        renamed(arrays, {"rnn": "0"})
    with pytest.raises(ValueError, match="rename: expected different names, got x for two entries, one of them scale"):
        renamed(arrays, {"net.fc.weight": "x", "scale": "x"})


def test_other_names_and_new_names_of_an_array_with_two(rng):
    """Each entry may have any of them; those of one array have to agree."""
    layer = fr.RNN(3, 3, seed=0)
    model = fr.Sequential(enc=layer, out=fr.Linear(3, 3, seed=1), dec=layer)
    new = {name: rng.standard_normal(array.shape).astype(np.float32) for name, array in model.params.items()}
    whole = new | {name.replace("enc", "dec"): array for name, array in new.items() if name.startswith("enc")}
    cell = {name.removesuffix("_l0"): array for name, array in whole.items()}  # as an RNNCell names them
    mixed = {name: array for name, array in {**whole, **cell}.items() if name.endswith("_l0") == name.startswith("enc")}
    decoder = {name: array for name, array in cell.items() if not name.startswith("enc")}
    for state_dict, rename in (
        (whole, None),
        (cell, None),
        (mixed, None),
        (decoder, None),
        ({f"net.{name}": array for name, array in cell.items()}, {"net": ""}),
        ({name.replace("dec.", "decoder.cell."): array for name, array in whole.items()}, {"decoder.cell": "dec"}),
    ):
        for array in model.params.values():
            array.fill(0)
        model.load_state_dict(state_dict, rename=rename)
        assert_same_arrays(dict(model.params), new)
    before = snapshot(model.params)
    for name in ("dec.bias_hh", "dec.bias_hh_l0"):
        with refused(ValueError, "expected the values of ", ", which is the same array, got others"):
            model.load_state_dict(new | {name: new["enc.bias_hh_l0"] + 1})
    with refused(ValueError, "got unknown dec.bias_hh"):
        model.load_state_dict(whole | {"dec.bias_hh": whole["dec.bias_hh_l0"]})
    with refused(ValueError, "got missing enc.bias_hh_l0"):
        model.load_state_dict({name: array for name, array in decoder.items() if name != "dec.bias_hh"})
    assert_same_arrays(dict(model.params), before)


CHANGES = {
    "shape": lambda p: setattr(p, "shape", p.shape[::-1]),
    "axes": lambda p: setattr(p, "shape", (*p.shape, 1)),
    "dtype": lambda p: setattr(p, "dtype", np.int32),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_array_that_was_reshaped_in_place_is_not_copied(change, tmp_path):
    """Nothing could load the copy; what a file held before it still holds. A read-only array is as good as any."""
    model = fr.Sequential(fr.GRU(3, 4, seed=0), fr.Linear(4, 2, seed=1))
    model.params["1.weight"].flags.writeable = False
    path, checkpoint = tmp_path / "model", tmp_path / "checkpoint"
    fr.save(model, path)
    fr.save_checkpoint(checkpoint, model)
    before = path.read_bytes(), checkpoint.read_bytes()
    model.params["1.weight"].flags.writeable = True
    CHANGES[change](model.params["1.weight"])
    for write in (
        model.state_dict,
        lambda: pickle.dumps(model),
        lambda: fr.save(model, path),
        lambda: fr.save_checkpoint(checkpoint, model),
    ):
        with pytest.raises(ValueError, match=r"params\['(1\.)?weight'\]: expected .*float32.*, as it was made, got"):
            write()
    assert before == (path.read_bytes(), checkpoint.read_bytes())
