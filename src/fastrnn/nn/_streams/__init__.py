# SPDX-License-Identifier: BSD-3-Clause
"""Echo state networks: a random recurrent layer that stays fixed, and readouts that learn."""
