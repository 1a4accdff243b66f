# SPDX-License-Identifier: BSD-3-Clause
"""A case as an ONNX model, for the peers that read such models.

Layouts (ONNX operators, opset 22): X (T, N, I), W (D, G*H, I), R (D, G*H, H), B (D, 2*G*H) = [b_ih, b_hh],
Y (T, D, N, H). Gates: LSTM i, o, f, c; GRU z, r, h, where linear_before_reset=1 is PyTorch's GRU and 0 is
reset_after=False.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cases import Case
from . import Outputs

OPERATORS = {"rnn_tanh": "RNN", "lstm": "LSTM", "gru": "GRU", "gru_reset_before": "GRU"}
GATE_ORDER = {"RNN": [0], "LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}  # in terms of PyTorch's i f g o, r z n


def reorder(operator: str, array: NDArray[Any]) -> NDArray[Any]:
    """The rows of a parameter (G*H, ...) with the gates in ONNX's order instead of PyTorch's."""
    order = GATE_ORDER[operator]
    gates = np.split(array, len(order))
    return np.concatenate([gates[k] for k in order])


def layer_arrays(case: Case, params: dict[str, NDArray[Any]], layer: int) -> list[NDArray[Any]]:
    """W, R and B of one layer."""
    operator, directions = OPERATORS[case.cell], []
    for suffix in case.suffixes:
        w_ih, w_hh, b_ih, b_hh = (
            reorder(operator, params[f"{name}_l{layer}{suffix}"])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        directions.append((w_ih, w_hh, np.concatenate([b_ih, b_hh])))
    return [np.stack(arrays) for arrays in zip(*directions, strict=True)]


def state_names(case: Case) -> tuple[str, ...]:
    """The inputs of a stream that hold its state."""
    if not case.streaming:
        return ()
    return ("h", "c") if case.cell == "lstm" else ("h",)


def make_interface(case: Case) -> tuple[list[Any], list[Any]]:
    """The declared inputs and outputs of the model; see `build`."""
    from onnx import TensorProto, helper  # pyright: ignore[reportMissingImports]

    real, declare = TensorProto.FLOAT, helper.make_tensor_value_info
    T, N, H, D = case.T, case.N, case.H, case.D
    inputs = [declare("x", real, (T, N, case.I))]
    outputs = [declare("y", real, (T, 1, N, H) if D == 1 else (T, N, D * H))]
    if case.ragged:
        inputs.append(declare("lengths", TensorProto.INT32, (N,)))
    inputs += [declare(name, real, (1, N, H)) for name in state_names(case)]
    outputs += [declare(f"{name}_n", real, (1, N, H)) for name in state_names(case)]
    return inputs, outputs


def make_nodes(case: Case, params: dict[str, NDArray[Any]]) -> tuple[list[Any], list[Any]]:
    """The nodes of the graph, layer by layer, and the constants that they read."""
    from onnx import helper, numpy_helper  # pyright: ignore[reportMissingImports]

    T, N, H, D, operator = case.T, case.N, case.H, case.D, OPERATORS[case.cell]
    attributes = {"hidden_size": H, "direction": "bidirectional" if D == 2 else "forward"}
    if operator == "GRU":
        attributes["linear_before_reset"] = int(case.cell == "gru")
    nodes, source = [], "x"
    constants = [numpy_helper.from_array(np.array([T, N, D * H]), "joined")] if D == 2 or case.L > 1 else []
    for layer in range(case.L):
        names = [f"{name}{layer}" for name in ("W", "R", "B")]
        arrays = layer_arrays(case, params, layer)
        constants += [numpy_helper.from_array(array, name) for array, name in zip(arrays, names, strict=True)]
        inputs = [source, *names, "lengths" if case.ragged else "", *state_names(case)]
        last = layer == case.L - 1
        raw = "y" if last and D == 1 else f"raw{layer}"
        outputs = [raw, *(f"{name}_n" for name in state_names(case))]
        nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        if raw != "y":  # (T, D, N, H) to (T, N, D*H), which the next layer reads and a user expects
            source = "y" if last else f"y{layer}"
            if D == 2:
                nodes.append(helper.make_node("Transpose", [raw], [f"transposed{layer}"], perm=[0, 2, 1, 3]))
                raw = f"transposed{layer}"
            nodes.append(helper.make_node("Reshape", [raw, "joined"], [source]))
    return nodes, constants


def build(case: Case, params: dict[str, NDArray[Any]]) -> bytes:
    """Build the model and serialize it.

    Its inputs are ``x``; in a ragged case ``lengths`` (N,) int32; for a stream ``h`` and ``c`` (1, N, H). Its outputs
    are ``y``, (T, 1, N, H) or, if bidirectional, (T, N, 2*H), and for a stream ``h_n`` and ``c_n``.
    """
    from onnx import helper  # pyright: ignore[reportMissingImports]

    inputs, outputs = make_interface(case)
    nodes, constants = make_nodes(case, params)
    graph = helper.make_graph(nodes, "case", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    return model.SerializeToString()


def unsupported(case: Case) -> str | None:
    """Why a peer that runs ONNX models cannot run a case; None if it can."""
    if case.training:
        return "inference only"
    return "float32 only" if case.dtype != "float32" else None


def as_outputs(case: Case, y: ArrayLike) -> Outputs:
    """The output of the model in the form that every peer returns."""
    return {"y": np.array(y).reshape(case.T, case.N, case.D * case.H)}
