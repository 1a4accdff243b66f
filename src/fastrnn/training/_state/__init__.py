# SPDX-License-Identifier: BSD-3-Clause
"""What a training keeps: checkpoints and history."""
