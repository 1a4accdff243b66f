# SPDX-License-Identifier: BSD-3-Clause
"""From a sequence to another one: an encoder, a decoder that attends to it, and what goes from one to the other."""

from .decoder import AttentionDecoder
from .model import Seq2Seq

__all__ = [
    "AttentionDecoder",
    "Seq2Seq",
]
