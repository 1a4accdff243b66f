# SPDX-License-Identifier: BSD-3-Clause
"""Inspect a model: its units and gates at each step, and how gradients propagate."""

from ._gradients.attribution import integrated_gradients, occlusion
from ._gradients.diagnosis import Diagnosis, Finding, diagnose
from ._gradients.flow import RecurrenceFlow, StrandFlow, gradient_flow
from ._gradients.influence import influence
from ._gradients.jacobians import jacobian_norms, lyapunov_exponents, memory_length, singular_values, state_jacobians
from ._plots.flow import plot_gradient_flow, plot_influence, plot_memory, plot_singular_values
from ._plots.gates import plot_openness, plot_saturation, saturation
from ._plots.recorder import FlowRecorder
from ._plots.trajectory import plot_trajectory, principal_components
from ._plots.unrolled import plot_unrolled
from ._plots.values import plot_attention, plot_text, plot_units
from ._report.report import report
from ._trace.record import trace
from ._trace.tokenization import Reading, read_array, read_text
from ._trace.trace import Trace
from ._units.properties import (
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
from ._units.ranking import Match, rank_units, survey_units
from ._units.scores import auc, correlation

__all__ = [
    "PROPERTIES", "Diagnosis", "Finding", "FlowRecorder", "Match", "Reading", "RecurrenceFlow", "StrandFlow", "Trace",
    "auc", "bracket_depth", "correlation", "diagnose", "falling", "gradient_flow", "influence", "inside_brackets",
    "inside_quotes", "integrated_gradients", "is_digit", "is_punctuation", "is_space", "is_upper", "is_vowel",
    "jacobian_norms", "lyapunov_exponents", "memory_length", "occlusion", "plot_attention", "plot_gradient_flow",
    "plot_influence", "plot_memory", "plot_openness", "plot_saturation", "plot_singular_values", "plot_text",
    "plot_trajectory", "plot_units", "plot_unrolled", "position_in_line", "position_in_word", "principal_components",
    "rank_units", "read_array", "read_text", "report", "rising", "saturation", "singular_values", "state_jacobians",
    "survey_units", "trace",
]  # fmt: skip
