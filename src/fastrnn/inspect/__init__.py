# SPDX-License-Identifier: BSD-3-Clause
"""Looking inside a model: what its units and gates do, step by step, and how gradients travel."""

from .agreement import auc, correlation
from .attribution import integrated_gradients, occlusion
from .diagnosis import Diagnosis, Finding, diagnose
from .flow import StrandFlow, gradient_flow
from .flow_plots import plot_gradient_flow, plot_influence, plot_memory, plot_singular_values
from .gates import plot_openness, plot_saturation, saturation
from .influence import influence
from .jacobians import jacobian_norms, lyapunov_exponents, memory_length, singular_values, state_jacobians
from .plots import plot_attention, plot_text, plot_units
from .properties import (
    PROPERTIES,
    bracket_depth,
    falling,
    inside_brackets,
    inside_quotes,
    is_digit,
    is_punctuation,
    is_space,
    is_upper,
    is_vowel,
    position_in_line,
    position_in_word,
    rising,
)
from .reading import Reading, read_array, read_text
from .recorder import FlowRecorder
from .report import report
from .space import plot_trajectory, principal_components
from .trace import trace
from .traced import Trace
from .units import Match, rank_units, survey_units
from .unrolled import plot_unrolled

__all__ = [
    "PROPERTIES",
    "Diagnosis",
    "Finding",
    "FlowRecorder",
    "Match",
    "Reading",
    "StrandFlow",
    "Trace",
    "auc",
    "bracket_depth",
    "correlation",
    "diagnose",
    "falling",
    "gradient_flow",
    "influence",
    "inside_brackets",
    "inside_quotes",
    "integrated_gradients",
    "is_digit",
    "is_punctuation",
    "is_space",
    "is_upper",
    "is_vowel",
    "jacobian_norms",
    "lyapunov_exponents",
    "memory_length",
    "occlusion",
    "plot_attention",
    "plot_gradient_flow",
    "plot_influence",
    "plot_memory",
    "plot_openness",
    "plot_saturation",
    "plot_singular_values",
    "plot_text",
    "plot_trajectory",
    "plot_units",
    "plot_unrolled",
    "position_in_line",
    "position_in_word",
    "principal_components",
    "rank_units",
    "read_array",
    "read_text",
    "report",
    "rising",
    "saturation",
    "singular_values",
    "state_jacobians",
    "survey_units",
    "trace",
]
