# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent layers of cells that are written in NumPy."""
