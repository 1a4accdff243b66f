# SPDX-License-Identifier: BSD-3-Clause
"""Looking inside a model: what its units and gates do, step by step."""

from .gates import plot_openness, plot_saturation, saturation
from .plots import plot_attention, plot_text, plot_units
from .space import plot_trajectory, principal_components
from .trace import Trace, trace
from .unrolled import plot_unrolled

__all__ = [
    "Trace",
    "plot_attention",
    "plot_openness",
    "plot_saturation",
    "plot_text",
    "plot_trajectory",
    "plot_units",
    "plot_unrolled",
    "principal_components",
    "saturation",
    "trace",
]
