# SPDX-License-Identifier: BSD-3-Clause
"""What a training does besides updates on data: one small hook for each."""
