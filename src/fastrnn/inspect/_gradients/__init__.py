# SPDX-License-Identifier: BSD-3-Clause
"""How gradients travel, and what outputs depend on."""
