# SPDX-License-Identifier: BSD-3-Clause
"""Measure how fast fastrnn is, compared with other libraries and with what the machine allows.

Run ``python -m fastrnn.benchmarks --help``. To measure another library, subclass `Peer` and pass its name to
``--peers module:Class``.
"""

from ._suite.cases import Case, CaseData
from ._suite.peers import Peer

__all__ = ["Case", "CaseData", "Peer"]
