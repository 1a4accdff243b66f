# SPDX-License-Identifier: BSD-3-Clause
"""Hooks for everything in a training besides updates: checkpoints, clipping, progress and so on."""
