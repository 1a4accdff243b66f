# SPDX-License-Identifier: BSD-3-Clause
"""Labels, markers and colours. The colours are Okabe and Ito's, which people with colour blindness can tell apart."""

from typing import Any

from matplotlib.axes import Axes

CELLS = {
    "lstm": ("LSTM", "#0072B2"),
    "gru": ("GRU", "#E69F00"),
    "gru_reset_before": ("GRU, reset before", "#CC79A7"),
    "rnn_tanh": ("RNN", "#009E73"),
}
PEERS = {
    "torch": ("PyTorch", "#D55E00", "o"),
    "onnxruntime": ("ONNX Runtime", "#0072B2", "s"),
    "openvino": ("OpenVINO", "#009E73", "^"),
    "jax": ("JAX", "#CC79A7", "D"),
    "numpy": ("NumPy", "#999999", "x"),
}
FASTRNN = "#0072B2"
GREY, GRID = "#555555", "#e5e5e5"
MODES = ((False, "Inference"), (True, "Training step"))
WIDTH = 10.0  # inches


def draw_grid(panel: Axes, **options: Any) -> None:
    """Light grid lines behind the data."""
    panel.grid(color=GRID, linewidth=0.7, **options)
    panel.set_axisbelow(True)
