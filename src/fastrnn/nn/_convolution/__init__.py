# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions over time."""
