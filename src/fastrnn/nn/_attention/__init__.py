# SPDX-License-Identifier: BSD-3-Clause
"""Attention, and a recurrent layer that attends."""
