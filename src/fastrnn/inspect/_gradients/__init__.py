# SPDX-License-Identifier: BSD-3-Clause
"""Follows gradients through time and layers, and attributes outputs to inputs."""
