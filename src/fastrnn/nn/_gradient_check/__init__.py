# SPDX-License-Identifier: BSD-3-Clause
"""The gradients of a layer, compared with central differences."""
