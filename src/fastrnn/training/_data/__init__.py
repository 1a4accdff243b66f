# SPDX-License-Identifier: BSD-3-Clause
"""Data in batches, and epochs of any data source."""
