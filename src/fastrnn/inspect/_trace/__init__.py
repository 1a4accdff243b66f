# SPDX-License-Identifier: BSD-3-Clause
"""What a model computes, recorded step by step."""
