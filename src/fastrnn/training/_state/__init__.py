# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints and the history of a training."""
