# SPDX-License-Identifier: BSD-3-Clause
"""Parameters that a layer of a user's own adds, and the config of one with a constructor."""

import copy

import numpy as np
import pytest
from support.layers import assert_same_arrays, refused
from support.own_layers import Affine, Mixture, Scale

import fastrnn as fr
from fastrnn import nn


class Bare(nn.StatelessLayer):
    """A constructor that forgets to keep an argument."""

    def __init__(self, features, gain=1.0):
        super().__init__()
        self.features = features

    def _forward(self, x, training):
        return x, None

    def _backward(self, saved, dy):
        return dy


class Configured(Bare):
    """The same, with a config of its own."""

    def config(self):
        return {"features": self.features}


def test_parameters_are_copies_in_the_dtype_of_the_layer(dtype):
    layer, values = Affine(3, dtype=dtype), np.arange(6).reshape(2, 3)
    layer.add_parameters(more=values.T, number=2)
    assert list(layer.params) == list(layer.grads) == ["weight", "bias", "more", "number"]
    for name, array in layer.params.items():
        assert array.dtype == layer.grads[name].dtype == dtype and array.flags.c_contiguous
        assert array.shape == layer.grads[name].shape and not layer.grads[name].any()
    layer.params["more"][0, 0] = 9
    assert values[0, 0] == 0


def test_what_is_no_parameter_is_refused():
    layer = Affine(3)
    with refused(ValueError, "weight: expected a new name for a parameter, got one that is taken"):
        layer.add_parameters(weight=np.ones(3))
    with refused(TypeError, "name: expected an array of numbers, got <U1"):
        layer.add_parameters(name="w")
    with refused(AttributeError, "params: the configuration of a layer is read-only; add_parameters makes parameters"):
        layer.params = {}
    assert list(layer.params) == ["weight", "bias"]


def test_a_layer_without_parameters_need_not_say_so():
    assert dict(Bare(3).params) == dict(Bare(3).grads) == {}
    Bare(3).zero_grad()


def test_a_container_has_parameters_of_its_own_before_those_of_its_children():
    layer = Mixture(Affine(2), Scale(2))
    assert list(layer.params) == ["gate", "first.weight", "first.bias", "second.weight"] == list(layer.state_dict())
    assert layer.dtype == np.float32 and layer.params["gate"][0] == 0.25
    clone = copy.deepcopy(layer)
    layer.params["gate"][...] = 0.5
    assert clone.params["gate"] == 0.25
    assert_same_arrays(copy.deepcopy(layer).state_dict(), layer.state_dict())


def test_a_config_is_made_of_the_arguments_of_a_constructor():
    """`seed` is no part of it: a copy takes the parameters."""
    layer = Scale(3, 2.0, seed=5)
    assert layer.config() == {"features": 3, "gain": 2.0}
    assert repr(layer) == "Scale(features=3, gain=2.0)"
    assert_same_arrays(copy.deepcopy(layer).state_dict(), layer.state_dict())


def test_an_argument_that_is_not_kept_is_named():
    for use in (copy.deepcopy, lambda layer: layer.config(), lambda layer: layer.inference_copy()):
        with refused(TypeError, "Bare: expected an attribute gain, as the constructor has that argument"):
            use(Bare(3))
    assert repr(Bare(3)) == "Bare(...)"
    assert copy.deepcopy(Configured(3)).features == 3


def test_a_constructor_that_does_not_begin_with_super_is_told_so():
    class Forgetful(Bare):
        def __init__(self, features):
            self.add_parameters(weight=np.ones(features))

    with refused(AttributeError, "Forgetful.dtype: not set yet", "begins with super().__init__()"):
        Forgetful(3)


@pytest.mark.parametrize("name", ["features", "dtype"])
def test_the_arguments_of_a_constructor_are_read_only_afterwards(name):
    layer = Scale(3)
    with refused(AttributeError, f"{name}: the configuration of a layer is read-only"):
        setattr(layer, name, getattr(layer, name))


def test_options_and_bases_for_own_layers_are_public():
    names = "Choice DType Flag Interval KW_ONLY Number Seed Size Sublayer Cell Container StatefulLayer StatelessLayer"
    assert set(names.split()) <= set(nn.__all__)
    assert nn.Size is fr.optim.Size and nn.Interval is fr.optim.Interval


@pytest.mark.parametrize(
    ("make", "sizes"),
    [
        (lambda n: fr.Linear(3, n), "in_features, out_features"),
        (lambda n: fr.Embedding(n, 8), "num_embeddings, embedding_dim"),
        (lambda n: fr.Conv1d(3, 4, n), "in_channels, out_channels, kernel_size"),
        (lambda n: fr.CausalConv1d(n, 4, 2), "in_channels, out_channels, kernel_size"),
        (lambda n: fr.LayerNorm(n), "features"),
        (lambda n: fr.GRU(3, n), "input_size, hidden_size, num_layers"),
    ],
)
@pytest.mark.parametrize("n", [2**44, 2**62, 2**70])
def test_sizes_for_which_there_is_no_memory_are_named(make, sizes, n):
    with pytest.raises(MemoryError, match=rf"^{sizes}: the parameters would need \d+ bytes$"):
        make(n)
