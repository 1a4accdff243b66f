# SPDX-License-Identifier: BSD-3-Clause
"""Finds what single units respond to."""
