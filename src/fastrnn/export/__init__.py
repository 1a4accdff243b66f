# SPDX-License-Identifier: BSD-3-Clause
"""Export models as C code, for programs without Python."""

from ._c import export_c

__all__ = ["export_c"]
