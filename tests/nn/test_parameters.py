# SPDX-License-Identifier: BSD-3-Clause
"""params and grads: mappings of names to arrays, fixed in number, shape and dtype."""

from collections import UserDict

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_arrays, assert_same_bits, snapshot
from support.recurrent import sequence, train

from fastrnn.nn._parameters import Joined, Parameters, distinct, first_names

T, N, I, H = 5, 2, 3, 4


@pytest.fixture(params=["params", "grads"])
def mapping(request):
    return request.param


def test_an_array_cannot_be_replaced_by_one_of_another_shape(kind, mapping):
    layer = kind(I, H)
    arrays = getattr(layer, mapping)
    before = snapshot(arrays)
    for name, own in arrays.items():
        for value in (np.ones((2, 2), np.float32), own.reshape(-1, 1), own[:-1], np.float32(1)):
            with argument_refused(ValueError, name, f"expected shape {own.shape}", f"got {value.shape}"):
                arrays[name] = value
    with argument_refused(TypeError, "weight_ih_l0", "expected float32 or float64", "got int64"):
        arrays["weight_ih_l0"] = np.ones(arrays["weight_ih_l0"].shape, int)
    with argument_refused(TypeError, "weight_ih_l0", "expected float32 or float64", "None"):
        arrays["weight_ih_l0"] = None
    assert_same_arrays(arrays, before)


def test_an_array_cannot_be_deleted(kind, mapping):
    arrays = getattr(kind(I, H), mapping)
    names = list(arrays)
    with argument_refused(TypeError, "weight_ih_l0", "cannot be deleted"):
        del arrays["weight_ih_l0"]
    for method in (arrays.popitem, arrays.clear, lambda: arrays.pop("weight_ih_l0")):
        with pytest.raises(TypeError, match="cannot be deleted"):
            method()
    assert list(arrays) == names


def test_an_unknown_name_is_refused_with_a_list_of_the_names(kind, mapping):
    arrays = getattr(kind(I, H), mapping)
    names = "weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0"
    for unknown in ("weight", "", 3):
        with pytest.raises(KeyError) as caught:
            arrays[unknown]
        assert repr(unknown) in str(caught.value) and names in str(caught.value)
        with pytest.raises(KeyError) as caught:
            arrays[unknown] = np.ones(3, np.float32)
        assert repr(unknown) in str(caught.value) and names in str(caught.value)
        assert unknown not in arrays
        assert arrays.get(unknown) is None


def test_assigning_writes_in_place(kind, mapping, rng):
    """The array object stays the same, and a float64 value is converted."""
    arrays = getattr(kind(I, H, seed=0), mapping)
    for name in arrays:
        own, value = arrays[name], rng.standard_normal(arrays[name].shape)
        for provided in (value.astype(np.float32), value, value.tolist()):
            own.fill(0)
            arrays[name] = provided
            assert arrays[name] is own
            assert_same_bits(own, value.astype(np.float32))


def test_assigned_parameters_are_used(kind, rng):
    layer, other, x = kind(I, H, seed=0), kind(I, H, seed=1), sequence(rng, T, N, I)
    layer(x)
    for name in layer.params:
        layer.params[name] = other.params[name]
    assert_same_bits(layer(x)[0], other(x)[0])


def test_assigned_gradients_are_added_to(kind, rng):
    layer, x = kind(I, H, seed=0), sequence(rng, T, N, I)
    train(layer, x)
    once = snapshot(layer.grads)
    for name in layer.grads:
        layer.grads[name] = np.zeros(once[name].shape)
    train(layer, x)
    assert_same_arrays(layer.grads, once)


def test_joined_arrays_are_those_of_the_parts(rng):
    """Reading returns the array itself, writing writes into it; unknown names are refused."""
    one, two = Parameters({"a": np.zeros(2), "b": np.ones((1, 3))}), Parameters({"c": np.ones(1)})
    joined = Joined([("", one), ("", two)])
    assert list(joined) == ["a", "b", "c"] and len(joined) == 3 and "c" in joined and "d" not in joined
    assert joined.shapes() == {"a": (2,), "b": (1, 3), "c": (1,)}
    assert joined["c"] is two["c"]
    joined["a"] = np.array([3.0, 4.0])
    assert one["a"].tolist() == [3, 4]
    with pytest.raises(KeyError, match="no parameter 'd'; the names are a, b, c"):
        joined["d"]


def test_an_array_with_two_names_is_given_once_and_found_under_both():
    """As by PyTorch's named_parameters; in every way of walking, through any nesting."""
    one, two = Parameters({"a": np.zeros(2), "b": np.ones((1, 3))}), Parameters({"a": np.ones(1)})
    inner = Joined([("0.", one), ("1.", two), ("2.", one)])
    joined = Joined([("x.", inner), ("", one), ("y.", two)])
    assert list(inner) == ["0.a", "0.b", "1.a"] and len(inner) == 3
    assert list(joined) == [name for name, _ in joined.items()] == ["x.0.a", "x.0.b", "x.1.a"]
    assert joined.shapes() == {"x.0.a": (2,), "x.0.b": (1, 3), "x.1.a": (1,)} and len(joined) == 3
    assert repr(joined) == "Joined(x.0.a: (2,), x.0.b: (1, 3), x.1.a: (1,))"
    for array, own in zip(joined.values(), (one["a"], one["b"], two["a"]), strict=True):
        assert array is own
    further = {"x.2.a": "x.0.a", "a": "x.0.a", "x.2.b": "x.0.b", "b": "x.0.b", "y.a": "x.1.a"}
    assert joined.first_names() == {"x.0.a": "x.0.a", "x.0.b": "x.0.b", "x.1.a": "x.1.a"} | further
    for name, first in further.items():
        assert name in joined and joined[name] is joined[first]
    joined["a"] = np.array([3.0, 4.0])
    assert joined["x.0.a"].tolist() == [3, 4]
    with pytest.raises(KeyError, match="the names are x.0.a, x.0.b, x.1.a, x.2.a, x.2.b, a, b, y.a"):
        joined["c"]


class Views(UserDict):
    """A mapping that makes its arrays when they are asked for: two of them may lie at one address, one by one."""

    def __getitem__(self, name):
        return super().__getitem__(name).copy()


@pytest.mark.parametrize("kind", [dict, Views])
def test_arrays_of_any_mapping_are_told_apart(kind):
    w = np.ones(2)
    arrays = kind({"a": w, "b": np.ones(2), "c": w, "d": np.ones(2)})
    assert list(distinct(arrays)) == (["a", "b", "d"] if kind is dict else ["a", "b", "c", "d"])
    assert first_names(arrays)["c"] == ("a" if kind is dict else "c")
