# SPDX-License-Identifier: BSD-3-Clause
"""Records what a model computes at each step."""
