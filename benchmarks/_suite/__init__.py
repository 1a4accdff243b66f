# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark suite behind ``python -m fastrnn.benchmarks``."""
