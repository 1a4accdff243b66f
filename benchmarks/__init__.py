# SPDX-License-Identifier: BSD-3-Clause
"""How fast fastrnn is: beside its peers, and against what the machine allows. Run ``python -m fastrnn.benchmarks``."""
