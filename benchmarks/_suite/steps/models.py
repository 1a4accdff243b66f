# SPDX-License-Identifier: BSD-3-Clause
"""The models of the steps, as fastrnn makes them. The others take their parameters from these."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr

from .cases import Step

WASHOUT = 100  # steps that the readout is not fitted to
RIDGE = 0.1
RADIUS = 0.9  # the spectral radius
LEARNING_RATE = 1e-4  # small, as the same batch comes again and again
MAX_NORM = 1.0  # of the gradients


def language(step: Step) -> fr.Sequential:
    """A language model of V symbols."""
    return fr.Sequential(
        embedding=fr.Embedding(step.V, step.I, seed=0),
        recurrent=fr.LSTM(step.I, step.H, seed=1),
        linear=fr.Linear(step.H, step.V, seed=2),
    )


def translation(step: Step) -> fr.Seq2Seq:
    """From V symbols to V symbols, with attention to the states of the encoder."""
    V, I, H = step.V, step.I, step.H
    return fr.Seq2Seq(
        encoder=fr.Sequential(embedding=fr.Embedding(V, I, seed=0), recurrent=fr.LSTM(I, H, seed=1)),
        embedding=fr.Embedding(V, I, seed=2),
        decoder=fr.AttentionDecoder(
            fr.LSTM(I, H, seed=3), fr.Attention(H, H, score=step.score, seed=4), fr.Linear(2 * H, H, bias=False, seed=5)
        ),
        output=fr.Linear(H, V, seed=6),
    )


def speech(step: Step) -> fr.Sequential:
    """An acoustic model of V classes, of which 0 is the blank."""
    return fr.Sequential(
        recurrent=fr.GRU(step.I, step.H, bidirectional=True, seed=0), linear=fr.Linear(2 * step.H, step.V, seed=1)
    )


def classifier(step: Step) -> fr.Sequential:
    """A classifier of sequences, as small as one is."""
    return fr.Sequential(
        recurrent=fr.GRU(step.I, step.H, batch_first=True, seed=0),
        last=fr.LastStep(batch_first=True),
        linear=fr.Linear(step.H, step.V, seed=1),
    )


def reservoir(step: Step) -> fr.EchoState:
    """An echo state network of H units with a bias, whose readout reads the states alone."""
    return fr.EchoState(
        step.I, step.H, density=step.density, spectral_radius=RADIUS, bias_scaling=0.1, input_to_readout=False,
        washout=WASHOUT, dtype=np.dtype(step.dtype), seed=0,
    )  # fmt: skip


def has_radius(matrix: NDArray[Any]) -> NDArray[Any]:
    """Whether a matrix has the spectral radius, (1,): to 1 %, as reservoirpy's iteration ends before it is exact."""
    radius = np.abs(np.linalg.eigvals(matrix)).max()
    return np.array([abs(radius / RADIUS - 1) < 0.01], float)
