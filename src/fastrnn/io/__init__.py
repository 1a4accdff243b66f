# SPDX-License-Identifier: BSD-3-Clause
"""Models and checkpoints on disk."""

from ._models import load, load_notes, save

__all__ = ["load", "load_notes", "save"]
