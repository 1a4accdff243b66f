# SPDX-License-Identifier: BSD-3-Clause
"""The peers compute what fastrnn computes."""

import importlib

import numpy as np
import pytest
from support.bench_data import SMALL

from fastrnn.benchmarks import Case
from fastrnn.benchmarks._suite import peers
from fastrnn.benchmarks._suite.cases import make_data
from fastrnn.benchmarks._suite.peers import onnx_model
from fastrnn.benchmarks._suite.peers.fastrnn import FastrnnPeer
from fastrnn.benchmarks._suite.peers.numpy import NumpyPeer
from fastrnn.benchmarks._suite.table import ONLY_PEERS
from fastrnn.benchmarks._suite.worker import find_difference

STREAMS = [Case("streaming", "lstm", 1, 1, 3, 5), Case("streams-pooled", "lstm", 1, 4, 3, 5)]


@pytest.mark.parametrize(
    "case", [*SMALL, *STREAMS, Case("x", "gru", 4, 2, 3, 5, 2, 2, True)], ids=lambda case: case.name
)
def test_numpy_agrees_with_fastrnn(case):
    """In every array that is compared."""
    data = make_data(case)
    ours, theirs = (kind(1).prepare(case, data)[1]() for kind in (FastrnnPeer, NumpyPeer))
    assert find_difference(case, theirs, ours) is None
    assert {"y", "dx", "weight_ih_l0"} <= ours.keys() if case.training else ours.keys() == {"y"}


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_concurrent_streams_have_the_bits_of_one(cell):
    """In a pool, and each by itself; also after calls that were timed."""
    expected = None
    for group in ("streams-pooled", "streams-each"):
        case = Case(group, cell, 1, 4, 3, 5)
        call, outputs = FastrnnPeer(1).prepare(case, make_data(case))
        call()
        y = outputs()["y"]
        assert y.shape == (1, 4, 5) and (expected is None or (y == expected).all())
        expected = y
        assert (outputs()["y"] == y).all()


def test_torch_agrees_with_fastrnn():
    """In every gradient of ragged training with two layers and directions."""
    torch = pytest.importorskip("torch")
    case = Case("x", "lstm", 6, 4, 3, 5, 2, 2, True, ragged=True)
    data, peer = make_data(case), peers.load("torch", torch.get_num_threads())
    ours, theirs = FastrnnPeer(1).prepare(case, data)[1](), peer.prepare(case, data)[1]()
    assert find_difference(case, theirs, ours) is None
    assert peer.supports(Case("x", "gru_reset_before", 1, 1, 1, 1)) == "PyTorch's GRU has only reset_after=True"


@pytest.mark.parametrize("cell", ["lstm", "gru", "gru_reset_before", "rnn_tanh"])
@pytest.mark.parametrize("training", [False, True])
def test_jax_agrees_with_fastrnn(cell, training):
    """In the output and every gradient. (Its process binds itself to cores, which this one must not.)"""
    pytest.importorskip("jax")
    peer = object.__new__(importlib.import_module(f"{peers.__name__}.jax").JaxPeer)
    peer.jax, peer.threads = importlib.import_module("jax"), 1
    case = Case("x", cell, 4, 2, 3, 5, training=training)
    data = make_data(case)
    ours, theirs = FastrnnPeer(1).prepare(case, data)[1](), peer.prepare(case, data)[1]()
    assert find_difference(case, theirs, ours) is None


@pytest.mark.parametrize("operator, letters, onnx", [("LSTM", "ifgo", "iofg"), ("GRU", "rzn", "zrn")])
def test_gates_are_in_the_order_of_onnx(operator, letters, onnx):
    """LSTM i o f c (PyTorch calls c g), GRU z r h (PyTorch calls h n)."""
    rows = np.repeat(np.array([[ord(letter)] for letter in letters]), 3, axis=0)
    assert onnx_model.reorder(operator, rows).ravel()[::3].tolist() == [ord(letter) for letter in onnx]


@pytest.mark.parametrize("peer", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "options",
    [
        *({}, {"D": 2}, {"L": 2}, {"ragged": True}, {"group": "streaming", "T": 1, "N": 1}),
        *({"group": "streams-pooled", "T": 1}, {"group": "streams-each", "T": 1}),
    ],
    ids=str,
)
@pytest.mark.parametrize("cell", ["lstm", "gru", "gru_reset_before", "rnn_tanh"])
def test_an_onnx_model_computes_the_same(cell, options, peer):
    """Each kind of model, compared with PyTorch if that is installed and has the cell, else with fastrnn."""
    if peers.missing_packages(peer):
        pytest.skip(f"{peer} is not installed")
    if peer not in ONLY_PEERS.get(options.get("group", ""), peers.NAMES):
        pytest.skip(f"{peer} takes no part in this group")
    case = Case(**{"group": "x", "cell": cell, "T": 5, "N": 3, "I": 4, "H": 16} | options)
    data = make_data(case)
    _, theirs = peers.load(peer, 1).prepare(case, data)
    has_torch = not peers.missing_packages("torch") and cell != "gru_reset_before"
    other = peers.load("torch", importlib.import_module("torch").get_num_threads()) if has_torch else FastrnnPeer(1)
    with other.timing(case):
        expected = other.prepare(case, data)[1]()
    assert find_difference(case, theirs(), expected) is None


def test_a_peer_chooses_its_kernels(monkeypatch):
    """Whatever the environment asks of them. All else that it says stays."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("LANG", "C.UTF-8")
    environment = peers.environment("numpy", 3)
    assert not peers.FORCED & environment.keys()
    assert (
        environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "3"
        and environment["LANG"] == "C.UTF-8"
    )
