# SPDX-License-Identifier: BSD-3-Clause
"""Writes models as C, for programs without Python."""

from ._c import export_c

__all__ = ["export_c"]
