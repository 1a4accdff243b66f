# SPDX-License-Identifier: BSD-3-Clause
"""Looking inside a model: what its units and gates do, step by step."""

from .trace import Trace, trace

__all__ = ["Trace", "trace"]
