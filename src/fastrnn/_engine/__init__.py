# SPDX-License-Identifier: BSD-3-Clause
"""The NumPy side of the engine: arguments, layouts, ragged rows, passes. Private."""
