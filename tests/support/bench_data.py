# SPDX-License-Identifier: BSD-3-Clause
"""Small cases, settings and a roof for the tests of the benchmarks."""

from fastrnn.benchmarks._suite.cases import Case
from fastrnn.benchmarks._suite.run import Settings

SETTINGS = Settings(rounds=3, block=0.001, limit=20)
SMALL = [Case("tiny", "gru", 4, 2, 3, 5), Case("tiny", "lstm", 4, 2, 3, 5, training=True)]
READ_GBS = {"L1": 200.0, "L2": 100.0, "L3": 50.0, "DRAM": 10.0}
ROOF = {  # round numbers, not measured
    "fma_gflops": {"float32": {"1": 100.0, "2": 200.0}, "float64": {"1": 50.0, "2": 100.0}},
    "read_gbs": {level: {"1": rate, "2": 2 * rate} for level, rate in READ_GBS.items()},
    "barrier_seconds": {"2": 1e-7},
    "cache_bytes": {"L1": 32 << 10, "L2": 1 << 20, "L3": 32 << 20},
}
