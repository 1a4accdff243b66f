# SPDX-License-Identifier: BSD-3-Clause
"""`fit`, and what it is made of: data in batches, updates, windows of time, checkpoints, Ctrl-C, a progress bar."""

from .batches import Batches
from .checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from .evaluation import evaluate
from .fitting import fit
from .rows import Batch
from .truncated import truncated_bptt

__all__ = [
    "Batch",
    "Batches",
    "Checkpoint",
    "evaluate",
    "fit",
    "load_checkpoint",
    "save_checkpoint",
    "truncated_bptt",
]
