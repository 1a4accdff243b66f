# SPDX-License-Identifier: BSD-3-Clause
"""What the name of an engine promises."""

import platform

VECTOR_BYTES = {"avx512": 64, "avx2": 32, "baseline": 16}
FUSED = {"avx512", "avx2"} | ({"baseline"} if platform.machine() == "aarch64" else set())  # have fused multiply-add
