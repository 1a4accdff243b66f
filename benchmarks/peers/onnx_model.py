# SPDX-License-Identifier: BSD-3-Clause
"""A case as an ONNX model, for the peers that read one.

Layouts (ONNX operators, opset 22): X (T, N, I), W (D, G*H, I), R (D, G*H, H), B (D, 2*G*H) = [b_ih, b_hh],
Y (T, D, N, H). Gates: LSTM i, o, f, c; GRU z, r, h, where linear_before_reset=1 is PyTorch's GRU and 0 is
reset_after=False.
"""

import numpy as np

OPERATORS = {"rnn_tanh": "RNN", "lstm": "LSTM", "gru": "GRU", "gru_reset_before": "GRU"}
GATE_ORDER = {"RNN": [0], "LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}  # of PyTorch's i f g o, r z n


def reorder(operator, array):
    """Rows of a parameter (G*H, ...) in PyTorch's gate order, in ONNX's."""
    order = GATE_ORDER[operator]
    return np.concatenate([np.split(array, len(order))[gate] for gate in order])


def layer_arrays(case, params, layer):
    """W, R and B of one layer."""
    operator, parts = OPERATORS[case.cell], ([], [], [])
    for suffix in ("", "_reverse")[: case.D]:
        w_ih, w_hh, b_ih, b_hh = (
            reorder(operator, params[f"{name}_l{layer}{suffix}"])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        for part, array in zip(parts, (w_ih, w_hh, np.concatenate([b_ih, b_hh])), strict=True):
            part.append(array)
    return [np.stack(part) for part in parts]


def build(case, params):
    """The model's bytes.

    Inputs are ``x``, for a ragged case ``lengths`` (N,) int32, for a stream ``h`` and ``c`` (1, N, H). Outputs are
    ``y``, (T, 1, N, H) or, with two directions, (T, N, 2*H), and for a stream ``h_n`` and ``c_n``.
    """
    from onnx import TensorProto, helper, numpy_helper

    operator, states = OPERATORS[case.cell], ("h", "c") if case.cell == "lstm" else ("h",)
    T, N, H, D = case.T, case.N, case.H, case.D
    real = TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", real, (T, N, case.I))]
    y_shape = (T, 1, N, H) if D == 1 else (T, N, D * H)
    outputs = [helper.make_tensor_value_info("y", real, y_shape)]
    if case.ragged:
        inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, (N,)))
    if case.streaming:
        inputs += [helper.make_tensor_value_info(name, real, (1, N, H)) for name in states]
        outputs += [helper.make_tensor_value_info(f"{name}_n", real, (1, N, H)) for name in states]
    attributes = {"hidden_size": H, "direction": "bidirectional" if D == 2 else "forward"}
    if operator == "GRU":
        attributes["linear_before_reset"] = int(case.cell == "gru")
    nodes, below = [], "x"
    constants = [numpy_helper.from_array(np.array([T, N, D * H]), "joined")] if D == 2 or case.L > 1 else []
    for layer in range(case.L):
        names = [f"{name}{layer}" for name in ("W", "R", "B")]
        arrays = layer_arrays(case, params, layer)
        constants += [numpy_helper.from_array(a, name) for a, name in zip(arrays, names, strict=True)]
        reads = [below, *names, "lengths" if case.ragged else "", *(states if case.streaming else ())]
        last = layer == case.L - 1
        raw = "y" if last and D == 1 else f"raw{layer}"
        writes = [raw, *(f"{name}_n" for name in states)] if case.streaming else [raw]
        nodes.append(helper.make_node(operator, reads, writes, **attributes))
        if raw != "y":  # (T, D, N, H) to (T, N, D*H), which the next layer reads and a user expects
            below = "y" if last else f"y{layer}"
            if D == 2:
                nodes.append(helper.make_node("Transpose", [raw], [f"turned{layer}"], perm=[0, 2, 1, 3]))
                raw = f"turned{layer}"
            nodes.append(helper.make_node("Reshape", [raw, "joined"], [below]))
    graph = helper.make_graph(nodes, "case", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    return model.SerializeToString()


def unsupported(case):
    """Why a peer that runs ONNX models cannot do a case, or None."""
    if case.training:
        return "inference only"
    return "float32 only" if case.dtype != "float32" else None


def as_outputs(case, y):
    """What the model computed, as every peer returns it."""
    return {"y": np.array(y).reshape(case.T, case.N, case.D * case.H)}
