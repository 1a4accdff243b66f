# SPDX-License-Identifier: BSD-3-Clause
"""From one sequence to another: an encoder, a decoder, and the bridge between their states."""
