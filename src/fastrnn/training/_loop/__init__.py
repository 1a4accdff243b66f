# SPDX-License-Identifier: BSD-3-Clause
"""The loop of `fit`."""
