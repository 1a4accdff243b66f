# SPDX-License-Identifier: BSD-3-Clause
"""How long a step of a training on several processes takes: a model, what it needs measured, and its plot."""
