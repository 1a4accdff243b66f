# SPDX-License-Identifier: BSD-3-Clause
"""From data to batches."""
