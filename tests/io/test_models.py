# SPDX-License-Identifier: BSD-3-Clause
"""save and load: what comes back, what a broken or hostile file can do, what an interrupted save leaves."""

import errno
import json
import os
import pickle
import random
import re
import resource
import stat
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path, PurePath

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from support.layers import attention_decoder, echo_state, pooled_model, summariser, translator

import fastrnn as fr
from fastrnn.io import _models as files

SOURCE = Path(__file__).resolve().parents[2] / "src" / "fastrnn"

MODELS = {
    "attention": lambda **own: fr.Attention(3, 3, attention_size=5, **own),
    "attention_dot": lambda **own: fr.Attention(3, 3, score="dot", batch_first=True, **own),
    "attention_general": lambda **own: fr.Attention(3, 3, score="general", **own),
    "attention_decoder": lambda **own: attention_decoder(input_feeding=True, num_layers=2, **own),
    "embedding": lambda **own: fr.Embedding(7, 3, **own),
    "embedding_padding": lambda **own: fr.Embedding(7, 3, padding_idx=-1, **own),
    "dropout": lambda **own: fr.Dropout(0.25, shared_steps=True, batch_first=True, **own),
    "echo_state": lambda **own: fr.EchoState(3, 4, **own),
    "echo_state_options": echo_state,
    "gru": lambda **own: fr.GRU(3, 4, **own),
    "gru_options": lambda **own: fr.GRU(3, 4, 3, bias=False, reset_after=False, dropout=0.25, **own),
    "last_step": lambda dtype=np.float32, seed=0: fr.LastStep(dtype=dtype),
    "last_step_options": lambda dtype=np.float32, seed=0: fr.LastStep(
        bidirectional=True, batch_first=True, dtype=dtype
    ),
    "layer_norm": lambda dtype=np.float32, seed=0: fr.LayerNorm(3, eps=1e-3, dtype=dtype),
    "linear": lambda **own: fr.Linear(3, 5, **own),
    "linear_without_bias": lambda **own: fr.Linear(3, 5, bias=False, **own),
    "lstm": lambda **own: fr.LSTM(3, 4, **own),
    "lstm_options": lambda **own: fr.LSTM(3, 4, 12, batch_first=True, bidirectional=True, **own),
    "max_pool": lambda dtype=np.float32, seed=0: fr.MaxPool(dtype=dtype),
    "mean_pool": lambda dtype=np.float32, seed=0: fr.MeanPool(batch_first=True, dtype=dtype),
    "repeat_vector": lambda dtype=np.float32, seed=0: fr.RepeatVector(4, dtype=dtype),
    "residual": lambda **own: fr.Residual(fr.LSTM(3, 3, **own)),
    "residual_nested": lambda **own: fr.Residual(
        fr.Sequential(fr.GRU(3, 4, **own), fr.Residual(fr.Residual(fr.Linear(4, 4, **own))), fr.Linear(4, 3, **own))
    ),
    "rnn": lambda **own: fr.RNN(3, 4, **own),
    "rnn_relu": lambda **own: fr.RNN(3, 1, nonlinearity="relu", **own),
    "rnn_selu": lambda **own: fr.RNN(1, 4, 2, nonlinearity="selu", bidirectional=True, **own),
    "seq2seq": lambda **own: translator(input_feeding=True, **own),
    "seq2seq_no_attention": summariser,
    "sequential": lambda **own: fr.Sequential(fr.Embedding(7, 3, **own), fr.GRU(3, 4, **own), fr.Linear(4, 2, **own)),
    "sequential_pooled": pooled_model,
    "nested": lambda **own: fr.Sequential(
        fr.Sequential(fr.Linear(3, 4, **own), fr.Sequential(fr.LSTM(4, 4, **own))), fr.RNN(4, 2, **own)
    ),
}


def bits(model):
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in model.state_dict().items()}


def assert_same(actual, expected):
    assert type(actual) is type(expected)
    assert json.dumps(actual.config()) == json.dumps(expected.config())  # 1, 1.0 and True differ
    assert bits(actual) == bits(expected)
    assert list(actual.params) == list(expected.params) == list(actual.grads)


def output(model, dtype):
    first = model.layers[0] if isinstance(model, fr.Sequential) else model
    rng = np.random.default_rng(1)
    if isinstance(first, fr.Embedding):
        return model(rng.integers(0, 7, (5, 2)))
    features = 1 if getattr(first, "input_size", 3) == 1 else 4 if isinstance(first, fr.LastStep) else 3
    x = rng.standard_normal((5, 2, features)).astype(dtype)
    if isinstance(first, fr.Seq2Seq):
        return model(x if first.bridge else rng.integers(0, 10, (5, 2)), rng.integers(0, 10, (4, 2)))[0]
    if isinstance(first, fr.Attention | fr.AttentionDecoder):
        return model(x, x)
    return model(x[0] if isinstance(first, fr.RepeatVector) else x)


def arrays_in(result):
    return [array for part in result for array in arrays_in(part)] if isinstance(result, tuple) else [result]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(path):
    """A file, and the model in it."""
    model = fr.GRU(3, 4, 2, dropout=0.5, seed=0)
    fr.save(model, path)
    return path, model


# -- what comes back -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_round_trip(name, dtype, path):
    model = MODELS[name](dtype=dtype, seed=3)
    before = bits(model)
    assert fr.save(model, path) is None
    loaded = fr.load(path)
    assert_same(loaded, model)
    assert bits(model) == before
    assert model.dtype == loaded.dtype == dtype
    for a, b in zip(arrays_in(output(loaded, dtype)), arrays_in(output(model, dtype)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "sigmoid", "selu", "identity"])
def test_round_trip_of_each_nonlinearity(nonlinearity, path):
    model = fr.RNN(2, 3, nonlinearity=nonlinearity, seed=0)
    fr.save(model, path)
    assert_same(fr.load(path), model)


def test_round_trip_of_both_dtypes_in_one_model(path):
    model = fr.Sequential(fr.Linear(1, 3, seed=0), fr.Linear(3, 1, dtype=np.float64, seed=1))
    fr.save(model, path)
    assert_same(fr.load(path), model)


def test_special_values_survive_as_they_are(path):
    model = fr.Linear(3, 2, seed=0)
    odd = np.array([0x7FC00000, 0x7F800001, 0xFFC12345, 0x80000000, 0x00000001, 0xFF800000], np.uint32)
    model.params["weight"].view(np.uint32)[...] = odd.reshape(2, 3)  # NaNs with payloads, -0, denormal, -inf
    fr.save(model, path)
    np.testing.assert_array_equal(fr.load(path).params["weight"].view(np.uint32), odd.reshape(2, 3))


@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_kinds_of_path(kind, path):
    model = fr.Linear(1, 1, seed=0)
    fr.save(model, kind(path))
    assert_same(fr.load(kind(path)), model)


@pytest.mark.parametrize("wrong", [3, None, 1.5, ["a"], True])
def test_what_is_no_path_is_refused_by_name(wrong, tmp_path, monkeypatch):
    """An integer would be the descriptor of an open file; nothing is opened."""
    monkeypatch.setattr("builtins.open", lambda *given: pytest.fail(f"opened {given}"))
    message = f"path: expected str, bytes or os.PathLike, got {type(wrong).__name__}"
    model = fr.GRU(2, 2)
    for call in (
        lambda: fr.save(model, wrong),
        lambda: fr.load(wrong),
        lambda: fr.load_notes(wrong),
        lambda: fr.save_checkpoint(wrong, model),
        lambda: fr.load_checkpoint(wrong, model),
        lambda: fr.Checkpoint(wrong),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_relative_path(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    model = fr.Linear(1, 1, seed=0)
    fr.save(model, path.name)
    assert_same(fr.load(PurePath(path.name)), model)


@pytest.mark.parametrize("name", MODELS)
def test_two_saves_give_the_same_bytes(name, path):
    model = MODELS[name](seed=0)
    fr.save(model, path)
    first = path.read_bytes()
    fr.save(fr.load(path), path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("name", MODELS)
def test_the_safetensors_package_reads_it(name, path):
    model = MODELS[name](seed=0)
    fr.save(model, path)
    tensors, stored = safetensors.numpy.load_file(path), model.state_dict()
    assert tensors.keys() == stored.keys()
    for key, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, stored[key])
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    about = json.loads(metadata["fastrnn"])
    assert about["format"] == "1"
    assert about["version"] == fr.__version__
    assert about["architecture"] == {"type": type(model).__name__, **model.config()}


@pytest.mark.parametrize("name", [*MODELS, "both_dtypes"])
def test_what_the_safetensors_package_writes_again_loads(name, path):
    if name == "both_dtypes":
        model = fr.Sequential(fr.Linear(1, 3, seed=0), fr.Linear(3, 1, dtype=np.float64, seed=1))
    else:
        model = MODELS[name](seed=0)
    fr.save(model, path)
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    safetensors.numpy.save_file(safetensors.numpy.load_file(path), path, metadata)
    assert_same(fr.load(path), model)


def test_names_are_those_of_pytorch(path):
    model = fr.Sequential(fr.Embedding(5, 3, seed=0), fr.LSTM(3, 4, 2, bidirectional=True, seed=0), fr.Linear(8, 2))
    fr.save(model, path)
    lstm = [
        f"1.{kind}_l{layer}{reverse}"
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        for layer in (0, 1)
        for reverse in ("", "_reverse")
    ]
    tensors = safetensors.numpy.load_file(path)
    assert sorted(tensors) == sorted(["0.weight", *lstm, "2.weight", "2.bias"])
    assert tensors["1.weight_ih_l1_reverse"].shape == (16, 8)
    other = fr.Sequential(fr.Embedding(5, 3, seed=9), fr.LSTM(3, 4, 2, bidirectional=True, seed=9), fr.Linear(8, 2))
    other.load_state_dict(tensors)
    assert bits(other) == bits(model)


@pytest.mark.parametrize("size", [1, 10, 100])  # each makes the header longer
def test_tensors_are_aligned(size, path):
    fr.save(fr.Sequential(fr.Linear(size, 3, seed=0), fr.Linear(3, 1, dtype=np.float64, seed=1)), path)
    header, data = split(path)
    assert (path.stat().st_size - len(data)) % 8 == 0
    del header["__metadata__"]
    for entry in header.values():
        assert entry["data_offsets"][0] % {"F32": 4, "F64": 8}[entry["dtype"]] == 0


def test_a_loaded_model_has_nothing_to_do_with_the_file(saved):
    path, model = saved
    loaded = fr.load(path)
    path.write_bytes(b"")
    assert_same(loaded, model)
    loaded.params["weight_ih_l0"][...] = 0  # writable
    assert loaded.params["weight_ih_l0"].flags.owndata


def test_a_loaded_model_trains(saved):
    path, _ = saved
    model = fr.load(path)
    y, state, tape = model.forward(np.ones((5, 2, 3), np.float32))
    model.backward(tape, np.ones_like(y))
    assert model.grads["weight_hh_l1"].any()


def test_the_random_state_is_not_saved(path):
    model = fr.GRU(3, 64, 2, dropout=0.5, seed=0)
    fr.save(model, path)
    x = np.ones((5, 2, 3), np.float32)
    assert not np.array_equal(fr.load(path).forward(x)[0], fr.load(path).forward(x)[0])


def test_a_residual_adds_nothing_to_the_names(path):
    """A file of the layer alone gives its parameters."""
    layer = fr.GRU(3, 3, seed=0)
    fr.save(fr.Sequential(fr.Residual(layer)), path)
    assert set(safetensors.numpy.load_file(path)) == {f"0.{name}" for name in layer.params}
    fr.save(layer, path)
    residual = fr.Residual(fr.GRU(3, 3, seed=1))
    residual.load_state_dict(safetensors.numpy.load_file(path))
    assert bits(residual) == bits(layer)


def test_a_layer_that_stands_twice_is_loaded_as_two(path):
    layer = fr.Linear(2, 2, seed=0)
    fr.save(fr.Sequential(layer, layer), path)
    loaded = fr.load(path)
    assert loaded.layers[0] is not loaded.layers[1]
    assert bits(loaded.layers[0]) == bits(loaded.layers[1]) == bits(layer)


# -- what save refuses -----------------------------------------------------------------------------


class Own(fr.Linear):
    pass


@pytest.mark.parametrize(
    "model",
    [None, 3, "model", {"weight": np.ones(3)}, fr.Linear, Own(2, 2), fr.Sequential(fr.Residual(Own(2, 2)))],
    ids=repr,
)
def test_save_refuses_what_load_could_not_build(model, path):
    with pytest.raises(
        TypeError, match=r"^model: expected Attention, .*Sequential, got (NoneType|int|str|dict|type|Own)$"
    ):
        fr.save(model, path)
    assert not os.listdir(path.parent)


def test_save_refuses_a_header_that_load_would_refuse(path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST_HEADER", 700)
    model = fr.Linear(1, 1, seed=0)
    fr.save(model, path)
    assert_same(fr.load(path), model)
    with pytest.raises(
        ValueError, match=r"^model: expected a header of at most 700 bytes, got \d+ bytes for 8 parameters"
    ):
        fr.save(fr.Sequential(*[model] * 4), path)
    assert_same(fr.load(path), model)


@pytest.mark.parametrize("path", [None, 3, 1.5, ["model"]])
def test_paths_that_are_none(path):
    with pytest.raises(TypeError):
        fr.save(fr.Linear(1, 1), path)
    with pytest.raises(TypeError):
        fr.load(path)


def test_save_into_a_missing_directory(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        fr.save(fr.Linear(1, 1), tmp_path / "missing" / "model.safetensors")
    assert caught.value.filename == str(tmp_path / "missing")


def test_save_into_a_file_as_if_it_were_a_directory(saved):
    path, model = saved
    with pytest.raises(NotADirectoryError):
        fr.save(model, path / "model.safetensors")
    assert_same(fr.load(path), model)


def test_save_replaces_files_only(path):
    os.mkfifo(path)
    for target in (path, path.parent):
        with pytest.raises(FileExistsError, match=re.escape(str(target))):
            fr.save(fr.Linear(1, 1), target)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert os.listdir(path.parent) == [path.name]


def test_save_keeps_the_mode_of_the_file_and_follows_links(saved):
    path, _ = saved
    plain = path.parent / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode  # a new file is as any other
    path.chmod(0o640)
    link = path.parent / "link"
    link.symlink_to(path.name)
    model = fr.Linear(1, 1, seed=0)
    fr.save(model, link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert_same(fr.load(path), model)


# -- files that load refuses -----------------------------------------------------------------------


def as_json(header):
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def split(path):
    """The header of a file, and the bytes of its tensors."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def about_of(path):
    """The metadata of a file."""
    return json.loads(split(path)[0]["__metadata__"]["fastrnn"])


def forge(path, header, data=b""):
    """Write a file."""
    header = as_json(header) if isinstance(header, dict) else header
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def with_about(path, about):
    """Put other metadata into a file."""
    header, data = split(path)
    header["__metadata__"] = {"fastrnn": about if isinstance(about, str) else json.dumps(about)}
    forge(path, header, data)


def refused(path, message):
    """load raises a ValueError that names the file and says `message`; nothing large is allocated on the way."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            fr.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert len(text) < len(str(path)) + 600  # quotes no megabytes
    assert peak < 500_000 + 30 * path.stat().st_size


def test_missing_file(path):
    with pytest.raises(FileNotFoundError) as caught:
        fr.load(path)
    assert caught.value.filename == str(path)


def test_directory(tmp_path):
    with pytest.raises(IsADirectoryError):
        fr.load(tmp_path)


NOT_SAFETENSORS = {
    "empty": b"",
    "shorter than the length": b"\x02\0\0",
    "nothing but a length": struct.pack("<Q", 2),
    "text": b"Rien ne va plus. " * 100,
    "pickle": pickle.dumps({"weight": list(range(100))}),
    "zeros": bytes(1000),
    "length of 2**64 - 1": b"\xff" * 8 + b"{}",
    "length of 2**63": struct.pack("<Q", 2**63) + b"{}",
    "length beyond the end": struct.pack("<Q", 3) + b"{}",
}


@pytest.mark.parametrize("name", NOT_SAFETENSORS)
def test_not_a_safetensors_file(name, path):
    path.write_bytes(NOT_SAFETENSORS[name])
    refused(path, "truncated or not a safetensors file")


def test_devices_are_not_read_without_end():
    with pytest.raises(ValueError, match="^/dev/zero: truncated or not a safetensors file"):
        fr.load("/dev/zero")


def test_truncated_anywhere(saved):
    path, _ = saved
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        refused(path, "truncated")


def test_appendix(saved):
    path, _ = saved
    path.write_bytes(path.read_bytes() + b"\0")
    refused(path, "truncated, or with an appendix: expected [0-9]+ bytes of tensors, got [0-9]+")


@pytest.mark.parametrize(
    "header, message",
    [
        (b"no JSON at all..", "header: not JSON"),
        (b'{"a":1', "header: not JSON"),
        (b"\xff\xfe{}", "header: not JSON"),
        ("{}".encode("utf-16"), "header: not JSON"),
        (b"[1, 2]  ", "header: expected an object"),
        (b"null", "header: expected an object"),
        (b'{"a":' + b"9" * 5000 + b"}", "header: not JSON"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
    ids=["text", "cut off", "not UTF-8", "UTF-16", "list", "null", "number of 5000 digits", "deep"],
)
def test_header(header, message, path):
    forge(path, header)
    refused(path, message)


def test_huge_header(path):
    with open(path, "wb") as file:  # sparse
        file.write(struct.pack("<Q", files.LARGEST_HEADER + 1))
        file.truncate(1 << 40)
    refused(path, "expected a header of at most 4194304 bytes, got 4194305")


def test_a_safetensors_file_from_elsewhere(path):
    for metadata in (None, {"format": "pt"}):
        safetensors.numpy.save_file({"weight": np.ones((2, 2), np.float32)}, path, metadata)
        refused(path, "not written by fastrnn.save: no architecture")


@pytest.mark.parametrize(
    "metadata", [None, [], "fastrnn", 1, {}, {"format": "1"}, {"fastrnn": 1}, {"fastrnn": None}], ids=repr
)
def test_metadata_of_another_kind(metadata, saved):
    path, _ = saved
    header, data = split(path)
    forge(path, header | {"__metadata__": metadata}, data)
    refused(path, "not written by fastrnn.save")


@pytest.mark.parametrize("about", ["", "no JSON", "[]", "3", "null", '{"format":'], ids=repr)
def test_metadata_that_is_no_object(about, saved):
    path, _ = saved
    with_about(path, about)
    refused(path, "metadata: (not JSON|expected an object)")


@pytest.mark.parametrize("crc32", [None, 3, "", ["a"], {}, "00000000"], ids=repr)
def test_another_checksum(crc32, saved):
    path, _ = saved
    with_about(path, about_of(path) | {"crc32": crc32})
    refused(path, "the checksum differs: the file is damaged")


@pytest.mark.parametrize("version", ["2", "1.1", "", 1, None, "9" * 100_000], ids=lambda v: repr(v)[:9])
def test_another_format(version, saved):
    path, _ = saved
    with_about(path, about_of(path) | {"format": version, "version": "7.0"})
    refused(path, f"written in format .* by fastrnn '7.0'; this is fastrnn {fr.__version__}, which reads format '1'")


def with_architecture(path, architecture):
    """Put another architecture into a file, with a checksum that is right; a string is JSON."""
    about = about_of(path)
    if isinstance(architecture, str):
        with_about(path, json.dumps(about | {"architecture": "HERE"}).replace('"HERE"', architecture))
        return
    arrays = safetensors.numpy.load(path.read_bytes())
    with_about(path, about | {"architecture": architecture, "crc32": files.checksum(architecture, arrays)})


def architecture_of(path):
    return about_of(path)["architecture"]


def nested(depth):
    return '{"type": "Sequential", "layers": [' * depth + "]}" * depth


def nested_residuals(depth):
    return '{"type": "Residual", "layer": ' * depth + "{}" + "}" * depth


@pytest.mark.parametrize(
    "architecture, message",
    [
        ("", "metadata: not JSON"),
        ("{", "metadata: not JSON"),
        ("__import__('os').abort()", "metadata: not JSON"),
        ("[]", "architecture: expected an object, got"),
        ("3", "architecture: expected an object, got 3"),
        ('"GRU"', "architecture: expected an object, got 'GRU'"),
        ("{}", "architecture: expected a type of Attention, .*, got None"),
        ({"type": "Transformer"}, "architecture: expected a type of .*GRU.*, got 'Transformer'"),
        ({"type": "os.system"}, "expected a type of"),
        ({"type": "Layer"}, "expected a type of"),
        ({"type": ["GRU"]}, "expected a type of"),
        ({"type": {}}, "expected a type of"),
        ({"type": "x" * 1_000_000}, "expected a type of"),
        ({"type": "GRU"}, r"architecture: missing in GRU: \['batch_first', 'bias', .*\]"),
        ({"type": "Sequential"}, r"architecture: missing in Sequential: \['layers'\]"),
        ({"type": "Sequential", "layers": [], "bias": True}, "architecture: unknown in Sequential: .'bias'"),
        ({"type": "Sequential", "layers": {}}, "architecture: Sequential.layers: expected list, got {}"),
        ({"type": "Sequential", "layers": [3]}, "architecture: expected an object, got 3"),
        ({"type": "Sequential", "layers": []}, "tensors that the architecture does not have: "),
        ({"type": "Residual"}, r"architecture: missing in Residual: \['layer'\]"),
        ({"type": "Residual", "layer": []}, r"architecture: Residual.layer: expected dict, got \[\]"),
        ({"type": "Residual", "layer": {}}, "architecture: expected a type of .*, got None"),
        ({"type": "Residual", "layer": {"type": "os"}}, "architecture: expected a type of .*, got 'os'"),
        (nested_residuals(10_000), "nested too deeply"),
        (nested(100), "tensors that the architecture does not have: "),
        (nested(10_000), "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 500_000 + "]" * 500_000, "nested too deeply"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_architecture(architecture, message, saved):
    path, _ = saved
    with_architecture(path, architecture)
    refused(path, message)


def test_layers_that_do_not_fit_each_other(path, monkeypatch):
    """A file of a model that could not be built, as one that does not look would write it."""
    with monkeypatch.context() as unchecked:
        unchecked.setattr("fastrnn.layers.sequential.check_features", lambda layers: None)
        fr.save(fr.Sequential(fr.GRU(3, 4), fr.Linear(5, 2)), path)
    refused(path, r"layers\[1\]: expected 4 features in, which GRU at 0 gives, got Linear with 5")


def test_no_layers(path):
    architecture = {"type": "Sequential", "layers": []}
    about = {"format": "1", "architecture": architecture, "crc32": files.checksum(architecture, {})}
    forge(path, {"__metadata__": {"fastrnn": json.dumps(about)}})
    refused(path, "layers: expected at least one layer, got none")


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


def test_additional_tensor(saved):
    path, _ = saved
    header, data = split(path)
    header["more" * 1000] = {"dtype": "F32", "shape": [2], "data_offsets": [len(data), len(data) + 8]}
    forge(path, header, data + bytes(8))
    refused(path, "tensors that the architecture does not have: .'moremore")


def test_missing_tensor(saved):
    path, _ = saved
    header, data = split(path)
    del header["bias_hh_l1"]
    forge(path, header, data)
    refused(path, "tensor bias_hh_l1: the architecture has it, the file does not")


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3, 12]},
        {"shape": [36]},
        {"shape": [12, 3, 1]},
        {"shape": []},
        {"shape": [-12, -3]},
        {"shape": None},
        {"dtype": "F64"},
        {"dtype": "BF16"},
        {"dtype": "I32"},
        {"dtype": "float32"},
        {"dtype": 3},
        {"data_offsets": [0, 144]},  # of another tensor
        {"data_offsets": [0, 10**30]},
        {"data_offsets": [-144, 0]},
        {"data_offsets": [144, 0]},
        {"data_offsets": []},
        {"data_offsets": None},
    ],
    ids=str,
)
def test_tensor_with_another_entry(change, saved):
    path, _ = saved
    header, data = split(path)
    assert header["weight_ih_l0"]["shape"] == [12, 3]
    assert header["weight_ih_l0"]["data_offsets"][0] > 0
    header["weight_ih_l0"] |= change
    forge(path, header, data)
    refused(path, "tensor weight_ih_l0: expected {.*'F32', 'shape': .12, 3.}, got {|truncated or not a safetensors")


@pytest.mark.parametrize("entry", [None, 3, "F32", [], [1, [2]], {}], ids=repr)
def test_tensor_with_an_entry_of_another_kind(entry, saved):
    path, _ = saved
    header, data = split(path)
    header["weight_ih_l0"] = entry
    forge(path, header, data)
    refused(path, "tensor weight_ih_l0: expected {")


def test_tensors_in_another_place_are_refused(saved):
    """Two that overlap, two that are exchanged, and a hole."""
    path, _ = saved
    header, data = split(path)
    a, b = header["bias_hh_l0"]["data_offsets"], header["bias_hh_l1"]["data_offsets"]
    for offsets in ((a, a), (b, a)):
        header["bias_hh_l0"]["data_offsets"], header["bias_hh_l1"]["data_offsets"] = offsets
        forge(path, header, data)
        refused(path, "truncated or not a safetensors file|the checksum differs")
    header, data = split(path)
    header["weight_ih_l1"]["data_offsets"] = [offset + 4 for offset in b]
    forge(path, header, data + bytes(4))
    refused(path, "truncated")


def test_every_flipped_bit_of_the_tensors_is_noticed(path):
    fr.save(fr.Linear(3, 2, seed=0), path)
    content = path.read_bytes()
    start = len(content) - 4 * (3 * 2 + 2)
    for at in range(start, len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            path.write_bytes(damaged)
            refused(path, "the checksum differs: the file is damaged")


def test_one_bit_makes_selu_of_relu(path):
    """Why the checksum covers the architecture."""
    fr.save(fr.RNN(1, 1, nonlinearity="relu"), path)
    content = path.read_bytes()
    assert content.count(b"relu") == 1
    path.write_bytes(content.replace(b"relu", b"selu"))
    refused(path, "the checksum differs: the file is damaged")


def test_a_file_that_shrinks_while_it_is_read(path, monkeypatch):
    """A mapping of it would end the process here."""
    fr.save(fr.Linear(1000, 1000), path)
    check = files.check_tensors

    def shrink(*args):
        check(*args)
        os.truncate(path, 100_000)

    monkeypatch.setattr(files, "check_tensors", shrink)
    refused(path, "truncated or not a safetensors file")


def damaged(content, rng):
    at = rng.randrange(rng.choice((8, len(content), len(content))) + 1)  # the first eight more often
    before, after = content[:at], content[at:]
    match rng.randrange(6):
        case 0 | 1 if after:
            return before + bytes([after[0] ^ 1 << rng.randrange(8)]) + after[1:]
        case 2:
            return before + rng.randbytes(1) + after[1:]
        case 3:
            return before + bytes([rng.choice(b'0123456789"{}[],:-.eE \\truefalsn')]) + after[1:]
        case 4:
            return before + after[rng.choice((1, 8, len(content))) :]
        case _:
            return before + rng.choice((b"0", b" ", rng.randbytes(3), after[:20])) + after


def test_damage_at_random(tmp_path):
    """Whatever happens to a file: it is refused with a ValueError, or the model is the one that was saved."""
    rng = random.Random(20)
    path = tmp_path / "damaged.safetensors"
    originals = []
    for name in ("gru_options", "sequential", "rnn_relu"):
        model = MODELS[name](seed=0)
        fr.save(model, path)
        originals.append((model, path.read_bytes()))
    loaded = 0
    for case in range(1000):
        model, content = rng.choice(originals)
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            content = damaged(content, rng)
        path.write_bytes(content)
        try:
            result = fr.load(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: "), case
        else:
            assert_same(result, model)
            safetensors.numpy.load_file(path)  # does not refuse what we accept
            loaded += 1
    assert loaded < 60  # those whose damage is in the version or undid itself


# -- saves that are interrupted --------------------------------------------------------------------


class Failing:
    """A file that fails after writing half of what it is given."""

    def __init__(self, file, error):
        self.file, self.error = file, error

    def __enter__(self):
        self.file.__enter__()
        return self

    def __exit__(self, *error):
        return self.file.__exit__(*error)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, content):
        self.file.write(content[: len(content) // 2])
        raise self.error


ERRORS = [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device"), MemoryError(), SystemExit(3)]
POINTS = ["open", "write", "fsync", "replace"]


def fail(monkeypatch, point, error):
    def raise_it(*arguments, **more):
        raise error

    if point == "write":
        monkeypatch.setattr(files, "open", lambda *arguments: Failing(open(*arguments), error), raising=False)
    elif point == "open":
        monkeypatch.setattr(files, "open", raise_it, raising=False)
    else:
        monkeypatch.setattr(os, point, raise_it)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("exists", [True, False], ids=["over a file", "new"])
def test_an_interrupted_save_changes_nothing(point, error, exists, path):
    old, new = fr.Linear(3, 2, seed=0), fr.GRU(3, 4, seed=1)
    if exists:
        fr.save(old, path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        fail(monkeypatch, point, error)
        with pytest.raises(type(error)) as caught:
            fr.save(new, path)
    assert caught.value is error
    assert os.listdir(path.parent) == [path.name] * exists
    if exists:
        assert_same(fr.load(path), old)
    fr.save(new, path)
    assert_same(fr.load(path), new)


def test_a_disk_that_is_full_in_the_middle(saved):
    path, model = saved
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # as near as one gets without a disk of one's own
    try:
        with pytest.raises(OSError, match="File too large"):
            fr.save(fr.Linear(100, 100), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(path.parent) == [path.name]
    assert_same(fr.load(path), model)


def test_the_order_of_an_atomic_write(saved, monkeypatch):
    """Written, flushed and synced before it gets its name; then the directory."""
    path, model = saved
    done = []

    def fsync(descriptor):
        directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append("fsync directory" if directory else f"fsync {os.fstat(descriptor).st_size} bytes")

    def replace(source, target, before=os.replace):
        assert os.path.dirname(source) == str(path.parent)
        done.append("replace")
        before(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    fr.save(model, path)
    assert done == [f"fsync {path.stat().st_size} bytes", "replace", "fsync directory"]


KILLED = """
import os, random, signal, sys, time
import fastrnn as fr

path = sys.argv[1]
rng = random.Random(4)
versions = [fr.GRU(64, 256), fr.LSTM(32, 200)]  # about 1 MB
for value, model in enumerate(versions):
    for name in model.params:
        model.params[name][...] = value
fr.save(versions[0], path)
for _ in range(20):
    child = os.fork()
    if not child:
        k = 0
        while True:
            fr.save(versions[k % 2], path)
            k += 1
    time.sleep(rng.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    model = fr.load(path)
    value = [type(version) for version in versions].index(type(model))
    assert all((model.params[name] == value).all() for name in model.params)
    assert repr(model) == repr(versions[value])
    print(type(model).__name__)
"""


def test_killed_while_saving(path):
    """After every kill -9 the file is one of the two versions; what may lie beside it disturbs nobody."""
    command = [sys.executable, "-c", KILLED, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.split()) == 20
    for name in os.listdir(path.parent):
        assert name == path.name or re.fullmatch(r"\.fastrnn-[0-9a-f]{16}\.tmp", name)
    model = fr.Linear(1, 1, seed=0)
    fr.save(model, path)
    assert_same(fr.load(path), model)


# -- hygiene ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what", [r"pickle\.load", r"\beval\(", r"\bexec\(", r"allow_pickle\s*=\s*True", r"shell\s*=\s*True"]
)
def test_the_package_runs_no_code_from_files(what):
    sources = [path for path in SOURCE.rglob("*.p[xy]*") if path.suffix != ".pyc"]
    assert SOURCE / "files.py" in sources
    assert [str(source) for source in sources if re.search(what, source.read_text())] == []


# -- notes -----------------------------------------------------------------------------------------

NOTES = {"vocabulary": ["a", "\u20ac", "\n"], "length": 3, "loss": 1.5, "nested": {"none": None, "yes": True}, "": []}


def test_notes_come_back_as_they_were(path):
    model = fr.GRU(3, 4, seed=0)
    fr.save(model, path, notes=NOTES)
    assert fr.load_notes(path) == NOTES and list(fr.load_notes(path)) == list(NOTES)
    assert_same(fr.load(path), model)
    fr.save(model, path, notes={})
    assert fr.load_notes(path) == {}


def test_a_file_without_notes_has_none(saved):
    """And is what it was before there were notes."""
    path, _ = saved
    assert fr.load_notes(path) == {}
    header, _ = split(path)
    assert header["__metadata__"].keys() == {"fastrnn"} and "notes" not in about_of(path)


def test_notes_survive_the_safetensors_package(path):
    """Whoever reads a file with it and writes it again keeps them."""
    fr.save(fr.Linear(1, 1, seed=0), path, notes=NOTES)
    with safetensors.safe_open(path, "np") as file:
        metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert json.loads(metadata["notes"]) == NOTES
    safetensors.numpy.save_file(arrays, path, metadata)
    assert fr.load_notes(path) == NOTES


@pytest.mark.parametrize(
    "notes, message",
    [
        ("text", "got str"),
        (["a"], "got list"),
        ({1: "a"}, "got one that would change"),
        ({"a": (1, 2)}, "got one that would change"),
        ({"a": np.float32(1)}, "got one that it cannot .*float32"),
        ({"a": float("nan")}, "got one that it cannot .*float values"),
        ({"a": {1, 2}}, "got one that it cannot .*set"),
    ],
)  # fmt: skip
def test_notes_that_json_cannot_hold_are_refused(notes, message, path):
    """Before anything is written; also those that would come back as something else."""
    with pytest.raises(TypeError, match=f"notes: expected a dict that JSON can hold, {message}"):
        fr.save(fr.Linear(1, 1), path, notes=notes)
    loop = {}
    loop["loop"] = loop
    with pytest.raises(TypeError, match="notes: expected a dict that JSON can hold"):
        fr.save(fr.Linear(1, 1), path, notes=loop)
    assert not path.exists()


def test_notes_that_are_too_long_are_refused(path):
    with pytest.raises(ValueError, match="model, notes: expected a header of at most"):
        fr.save(fr.Linear(1, 1), path, notes={"book": "a" * files.LARGEST_HEADER})
    assert not path.exists()


def refused_notes(path, message):
    for load in fr.load, fr.load_notes:
        with pytest.raises(ValueError, match=message):
            load(path)


def test_every_flipped_bit_of_the_notes_is_noticed(path):
    fr.save(fr.Linear(1, 1, seed=0), path, notes={"vocabulary": "abc"})
    content = path.read_bytes()
    start = content.index(b"abc")
    for at in range(start, start + 3):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            path.write_bytes(damaged)
            refused_notes(path, "notes: the checksum differs|header: not JSON")


@pytest.mark.parametrize("notes", [None, 3, "", "[]", "{}", {"a": 1}, "\ud800"])
def test_notes_that_are_not_those_of_the_checksum(notes, path):
    fr.save(fr.Linear(1, 1, seed=0), path, notes=NOTES)
    header, data = split(path)
    if notes is None:
        del header["__metadata__"]["notes"]
    else:
        header["__metadata__"]["notes"] = notes
    forge(path, header, data)
    refused_notes(path, "notes: the checksum differs|surrogates not allowed|not a safetensors file")


@pytest.mark.parametrize("text, message", [("[1]", "notes: expected an object"), ("{", "notes: not JSON")])
def test_notes_that_are_no_object(text, message, path):
    """Even with a checksum that is right."""
    fr.save(fr.Linear(1, 1, seed=0), path, notes=NOTES)
    header, data = split(path)
    about = json.loads(header["__metadata__"]["fastrnn"]) | {"notes": files.crc_of(text)}
    header["__metadata__"] = {"fastrnn": json.dumps(about), "notes": text}
    forge(path, header, data)
    refused_notes(path, message)


def test_notes_of_a_file_from_elsewhere(path):
    safetensors.numpy.save_file({"a": np.zeros(3)}, path, {"notes": "{}"})
    refused_notes(path, "not written by fastrnn.save")
