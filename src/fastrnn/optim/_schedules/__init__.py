# SPDX-License-Identifier: BSD-3-Clause
"""Schedules of the learning rate."""
