# SPDX-License-Identifier: BSD-3-Clause
"""What single units respond to."""
