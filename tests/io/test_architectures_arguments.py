# SPDX-License-Identifier: BSD-3-Clause
"""Arguments in architectures: of any type, value and size."""

import json

import pytest
from support.model_files import MODELS, about_of, architecture_of, bits, forge, refused, split, with_architecture

import fastrnn as fr


@pytest.mark.parametrize(
    "name", ["dropout", "embedding", "gru_options", "last_step", "layer_norm", "linear", "lstm", "residual", "rnn"]
)
def test_missing_and_unknown_arguments(name, path):
    model = MODELS[name]()
    fr.save(model, path)
    good = architecture_of(path)
    for key in model.config():
        with_architecture(path, {k: v for k, v in good.items() if k != key})
        refused(path, rf"architecture: missing in {type(model).__name__}: \['{key}'\]")
    for key in ("seed", "proj_size", "__class__", "self", "", "key" * 1000):
        with_architecture(path, good | {key: 0})
        refused(path, f"architecture: unknown in {type(model).__name__}: ")


VALUES = [
    0, 1, 2, -1, 5, 10**6, 10**12, 10**18, 2**63, 10**30, -(10**30), True, False,
    3.0, 0.0, 0.5, 1.0, -0.5, float("nan"), float("inf"),
    "", "3", "relu", "float64", "float16", "f4", "O", "x" * 100, None, [], {}, [3], [True], {"a": 1},
]  # fmt: skip


def may_load(model, key, value):
    """Whether a file of this model may say so: what is not refused by its type, its range or the tensors."""
    good = model.config()[key]
    if key == "dtype":
        return value == "float64" and not model.params
    if key == "padding_idx":
        return value is None or (type(value) is int and 0 <= value < 7)
    if key == "steps":
        return type(value) is int and value >= 1
    if key == "eps":
        return type(value) is float and 0 < value < float("inf")
    return type(value) is type(good) and (isinstance(value, bool) or value in (good, 0.0, 0.5, "relu"))


ANY_VALUE = [
    "dropout",
    "embedding",
    "embedding_padding",
    "gru_options",
    "last_step_options",
    "layer_norm",
    "linear",
    "lstm_options",
    "repeat_vector",
    "rnn_selu",
]


@pytest.mark.parametrize("name", ANY_VALUE)
def test_arguments_of_any_value_and_type(name, path):
    """Each is refused, or is exactly what the loaded model has: nothing is converted or taken for something else."""
    model = MODELS[name](seed=0)
    fr.save(model, path)
    good = architecture_of(path)
    accepted = set()
    for key in model.config():
        for value in VALUES:
            with_architecture(path, good | {key: value})
            if may_load(model, key, value):
                try:
                    loaded = fr.load(path)
                except ValueError:
                    continue
                assert json.dumps({"type": good["type"], **loaded.config()}) == json.dumps(good | {key: value})
                assert bits(loaded) == bits(model)
                accepted.add(key)
            else:
                refused(path, "architecture: |tensor|expected (a probability|a number above|at most 6)|nonlinearity: ")
    assert accepted <= {
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "recompute",
        "dtype",
        "padding_idx",
        "steps",
        "eps",
        "p",
        "shared_steps",
        "reset_after",
        "nonlinearity",
        "hidden_size",
    } | {key for key in good if good[key] in VALUES}


@pytest.mark.parametrize("key", ["input_size", "hidden_size", "num_layers"])
@pytest.mark.parametrize("size", [10**6, 10**12, 10**30, 10**4000])
def test_enormous_sizes_are_found_without_allocating_or_counting(key, size, path):
    for own in ({}, {"bidirectional": True}):
        fr.save(fr.LSTM(3, 4, 2, **own), path)
        with_architecture(path, architecture_of(path) | {key: size})
        refused(path, "tensor [a-z_0-9]+: (expected .*, got|the architecture has it, the file does not)")


@pytest.mark.parametrize("value", [0, -4, True, 4.0, "4", None, [4]], ids=repr)
def test_sizes_of_another_kind_are_named(value, saved):
    path, _ = saved
    with_architecture(path, architecture_of(path) | {"hidden_size": value})
    refused(path, r"architecture: GRU\.hidden_size: expected (int|at least 1), got ")


def test_sizes_that_agree_with_the_header_but_not_with_the_file(path):
    """An architecture and a header of 4 TB in a file of some hundred bytes."""
    fr.save(fr.Embedding(1, 1), path)
    header, data = split(path)
    header["weight"] |= {"shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}
    about = about_of(path)
    about["architecture"] |= {"num_embeddings": 10**6, "embedding_dim": 10**6}
    header["__metadata__"] = {"fastrnn": json.dumps(about)}
    forge(path, header, data)
    refused(path, "truncated, or with an appendix: expected 40000000")


def test_negative_sizes_that_multiply_to_something_positive(path):
    fr.save(fr.Embedding(1, 1), path)
    header, data = split(path)
    header["weight"]["shape"] = [-1, -1]
    about = about_of(path)
    about["architecture"] |= {"num_embeddings": -1, "embedding_dim": -1}
    header["__metadata__"] = {"fastrnn": json.dumps(about)}
    forge(path, header, data)
    refused(path, "Embedding.num_embeddings: expected at least 1, got -1")
