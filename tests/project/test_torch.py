# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch confirms outputs and every gradient: frozen results always, a live PyTorch if present.

The cases, and what each array is called, are in `torch_cases.py`.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from support.tolerance import assert_close
from support.torch_cases import (
    FROZEN,
    GATES,
    LENGTHS,
    LIVE,
    ODD,
    SINGLE,
    WIDE,
    Case,
    draw,
    parameters,
    run_torch,
    torch_module,
)
from support.torch_runs import build, check, compare, pack, run_fastrnn, summed, unpack

GOLDEN = Path(__file__).resolve().parents[1] / "golden"

by_name = pytest.mark.parametrize("case", FROZEN, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def torch():
    """PyTorch on one thread, or a skip that says why not."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: only its frozen results were checked")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)


def load(case):
    """Read a frozen file: what was given, what PyTorch made of it, and where it came from."""
    with safe_open(GOLDEN / f"torch-{case.name}.safetensors", framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(file.metadata()["about"])
    given = {name: arrays.pop(name) for name in draw(case)}
    return given, arrays, about


# ---- frozen ------------------------------------------------------------------------------------


def test_every_frozen_file_has_its_case():
    files = {path.name for path in GOLDEN.glob("torch-*.safetensors")}
    assert files == {f"torch-{case.name}.safetensors" for case in FROZEN}
    for case in FROZEN:
        _, _, about = load(case)
        assert about["case"] == json.loads(json.dumps(asdict(case)))


@by_name
def test_frozen(case):
    given, expected, _ = load(case)
    check(case, given, expected)


@by_name
def test_frozen_is_what_pytorch_says_today(case, torch):
    given, expected, about = load(case)
    actual = run_torch(case, given)
    assert actual.keys() == expected.keys()
    for name, value in actual.items():
        what = f"{case.name}: {name}, frozen by PyTorch {about['torch']}"
        steps = case.size[0] * case.layers
        assert_close(value, expected[name], np.dtype("f8"), terms=summed(case, name), steps=steps, what=what)


# ---- live --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LIVE, ids=lambda case: case.name)
def test_live(case, torch):
    given = draw(case)
    check(case, given, run_torch(case, given))


FLOAT32 = [
    Case(cell, size, layers, bidirectional, lengths=lengths, dtype="float32")
    for cell in GATES
    for size, layers, bidirectional, lengths in [
        (ODD, 1, False, None),
        (WIDE, 2, True, None),
        (WIDE, 1, True, LENGTHS[WIDE]),
    ]
]


@pytest.mark.parametrize("case", FLOAT32, ids=lambda case: case.name)
def test_live_float32(case, torch):
    """PyTorch's own float32, whose LSTM is another program than its float64 one (oneDNN, fused)."""
    given = draw(case)
    with torch.profiler.profile() as profile:
        theirs = run_torch(case, given, "float32")
    ours = run_fastrnn(case, given)
    # Both round, so that they may differ by twice the tolerance: half-way must be within one.
    half_way = {name: (ours[name] + theirs[name].astype("f8")) / 2 for name in ours}
    compare(case, half_way, theirs)
    fused = any("mkldnn_rnn_layer" in event.key for event in profile.key_averages())
    if case.cell == "lstm" and not case.lengths and not fused:
        pytest.skip("fastrnn agrees, but this PyTorch did not take its fused oneDNN path")


# ---- state_dict and tensors --------------------------------------------------------------------

MODULES = [Case(cell, ODD, 2, True, dtype=dtype) for cell in GATES for dtype in ("f4", "f8")]
MODULES = [replace(case, dtype=np.dtype(case.dtype).name) for case in MODULES]


@pytest.mark.parametrize("case", MODULES, ids=lambda case: case.name)
def test_state_dict_goes_both_ways(case, torch):
    module = torch_module(case, case.dtype)
    theirs = {name: value.numpy() for name, value in module.state_dict().items()}
    layer = build(case)
    layer.load_state_dict(theirs)
    ours = layer.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, name)
    fresh = build(case).state_dict()
    module.load_state_dict({name: torch.tensor(value) for name, value in fresh.items()})
    for name, value in module.state_dict().items():
        np.testing.assert_array_equal(fresh[name], value.numpy(), name)


@pytest.mark.parametrize("case", MODULES, ids=lambda case: case.name)
def test_tensors_are_accepted_as_arrays(case, torch):
    layer = build(case)
    given = draw(replace(case, lengths=LENGTHS[ODD]))
    tensors = {name: torch.tensor(value) for name, value in given.items()}
    strided = tensors["x"].transpose(0, 1).contiguous().transpose(0, 1)
    assert not strided.is_contiguous()

    y, last = layer(given["x"], pack(case, given, "{}0"), given["lengths"])
    for x in (tensors["x"], strided):
        tensor_y, tensor_last = layer(x, pack(case, tensors, "{}0"), tensors["lengths"])
        np.testing.assert_array_equal(tensor_y, y)
        same = unpack(case, tensor_last, "{}n")
        for name, value in unpack(case, last, "{}n").items():
            np.testing.assert_array_equal(same[name], value, name)


@pytest.mark.parametrize("cell", GATES)
def test_gradients_add_up_as_in_pytorch(cell, torch):
    """Two backward passes without zero_grad in between give the sum, and zero_grad clears it."""
    case = Case(cell, SINGLE, bidirectional=True)
    given = draw(case)
    expected = run_torch(case, given)
    layer = build(case)
    layer.load_state_dict(parameters(given))
    state, dstate = pack(case, given, "{}0"), pack(case, given, "d{}n")

    def backward(times):
        for _ in range(times):
            _, _, tape = layer.forward(given["x"], state)
            layer.backward(tape, given["dy"], dstate)
        actual = {f"grad.{name}": value for name, value in layer.grads.items()}
        compare(case, actual, {name: times * expected[name] for name in actual})

    backward(2)
    layer.zero_grad()
    assert not any(value.any() for value in layer.grads.values())
    backward(1)
