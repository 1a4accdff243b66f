# SPDX-License-Identifier: BSD-3-Clause
"""Every public layer: its signature, its documentation, its config and its copies."""

import copy
import inspect
import pickle
import pkgutil
import re

import numpy as np
import pytest
from support.every_layer import each, inputs
from support.layers import assert_same_arrays

import fastrnn as fr
from fastrnn.nn._configurable import options_of
from fastrnn.nn._layer import Layer, leaves
from fastrnn.nn._options import type_name

RECURRENT = (
    "input_size, hidden_size, num_layers=1, *, bias=True, batch_first=False, dropout=0.0, bidirectional=False, "
    "recompute=False, dtype=np.float32, seed=None, recurrent_dropout=0.0, zoneout=0.0, weight_drop=0.0, "
    "delta_clip=None, learn_initial_state=False, reverse=False"
)
SIGNATURES = {  # they may grow at their ends; nothing that is there may change
    "Activation": "nonlinearity, *, dtype=np.float32",
    "Attention": "query_size, memory_size, *, score='additive', attention_size=None, batch_first=False, "
    "dtype=np.float32, seed=None",
    "AttentionDecoder": "layer, attention, combine, *, input_feeding=False",
    "CausalConv1d": "in_channels, out_channels, kernel_size, *, dilation=1, groups=1, bias=True, batch_first=False, "
    "dtype=np.float32, seed=None",
    "Conv1d": "in_channels, out_channels, kernel_size, *, dilation=1, groups=1, bias=True, batch_first=False, "
    "dtype=np.float32, seed=None, stride=1, padding=0",
    "Dropout": "p=0.5, *, shared_steps=False, batch_first=False, seed=None, dtype=np.float32",
    "EchoState": "input_size, hidden_size, num_layers=1, *, output_size=None, leak=1.0, spectral_radius=0.9, "
    "input_scaling=1.0, bias_scaling=0.0, density=0.1, nonlinearity='tanh', input_to_readout=True, washout=0, "
    "batch_first=False, dtype=np.float32, seed=None",
    "Embedding": "num_embeddings, embedding_dim, *, padding_idx=None, dtype=np.float32, seed=None",
    "GRU": f"{RECURRENT}, reset_after=True",
    "LSTM": RECURRENT,
    "LastStep": "*, bidirectional=False, batch_first=False, dtype=np.float32, reverse=False",
    "LayerNorm": "features, *, eps=1e-05, dtype=np.float32",
    "Linear": "in_features, out_features, *, bias=True, dtype=np.float32, seed=None",
    "MaxPool": "*, batch_first=False, dtype=np.float32",
    "MeanPool": "*, batch_first=False, dtype=np.float32",
    "RNN": f"{RECURRENT}, nonlinearity='tanh', leak=1.0, omega=0.0",
    "Recurrent": "cell, *, reverse_cell=None, batch_first=False",
    "RepeatVector": "steps, *, batch_first=False, dtype=np.float32",
    "Residual": "layer",
    "Seq2Seq": "encoder, embedding, decoder, output, bridge=None, *, start=0, seed=None",
    "Sequential": "*layers, **named",
}


def by_kind(signature):
    """Positional parameters in order, and those by keyword alone in any order, with their defaults."""
    parameters = [(p.name, p.kind, p.default) for p in signature.parameters.values()]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [p for p in parameters if p[1] != keyword], sorted(p[::2] for p in parameters if p[1] == keyword)


def built(architecture):
    """A layer from its type and its config."""
    if isinstance(architecture, list):
        return [built(part) for part in architecture]
    if not isinstance(architecture, dict):
        return architecture
    config = {name: built(value) for name, value in architecture.items() if name != "type"}
    name = architecture["type"]
    kind = pkgutil.resolve_name(name) if ":" in name else getattr(fr, name)
    return kind(*config["layers"]) if kind is fr.Sequential else kind(**config)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_have_the_same_names_kinds_and_defaults_as_ever(name):
    expected = inspect.signature(eval(f"lambda {SIGNATURES[name]}: None"))
    actual = inspect.signature(getattr(fr, name))
    assert [p for p in by_kind(actual)[0]] == by_kind(expected)[0]
    assert dict(by_kind(actual)[1]) == dict(by_kind(expected)[1])


def test_every_public_layer_has_a_signature_here():
    layers = {name for name, item in vars(fr).items() if isinstance(item, type) and issubclass(item, Layer)}
    assert layers == SIGNATURES.keys()


@pytest.mark.parametrize("name", SIGNATURES)
def test_every_option_is_documented(name):
    """With its type, its default and a sentence."""
    kind = getattr(fr, name)
    text = inspect.getdoc(kind)
    assert text.count("Parameters\n----------") == 1
    for option_name, option in options_of(kind).items():
        if kind is fr.Sequential:
            option_name = {"layers": r"\*layers", "names": r"\*\*named"}[option_name]
            option = options_of(kind)["layers"]
        match = re.search(rf"^{option_name} : (.*)\n    (.*)", text, re.MULTILINE)
        assert match, option_name
        assert match[1].startswith(option.type_text) and len(match[2]) > 10
        parameter = inspect.signature(kind).parameters[option_name.replace(r"\*", "")]
        assert ("default" in match[1]) == (parameter.default is not inspect.Parameter.empty), option_name


def test_a_config_makes_a_layer_that_has_the_same_config(make):
    layer = make()
    again = built({"type": type_name(type(layer)), **layer.config()})
    assert again.config() == layer.config() and repr(again) == repr(layer)


COPIES = {"copy.deepcopy": copy.deepcopy, "pickle": lambda layer: pickle.loads(pickle.dumps(layer))}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_has_the_parameters_and_the_random_state(case, make, duplicate):
    """Also of each layer inside, and after random numbers have been drawn."""
    layer = make()
    layer.forward(*each(inputs(case)))
    clone = duplicate(layer)
    assert_same_arrays(clone.state_dict(), layer.state_dict())
    assert clone.random_state == layer.random_state
    assert [leaf.random_state for leaf in leaves(clone)] == [leaf.random_state for leaf in leaves(layer)]


def test_a_random_state_may_be_saved_and_set(rng):
    dropout, x = fr.Dropout(0.5, seed=0), np.ones((4, 50), np.float32)
    state = dropout.random_state
    first = dropout.forward(x)[0]
    assert (dropout.forward(x)[0] != first).any()
    dropout.random_state = state
    np.testing.assert_array_equal(dropout.forward(x)[0], first)
    linear = fr.Linear(2, 3)
    linear.random_state = None
    assert linear.random_state is None
