# SPDX-License-Identifier: BSD-3-Clause
"""Layers as a user writes them, outside of the package: with options, with a constructor, with a state, of others."""

import numpy as np

import fastrnn as fr
from fastrnn import nn


class Affine(nn.StatelessLayer):
    """y = weight x + bias, or the square of that: options are declared."""

    features: nn.Size = nn.Size("F, the size of the last axis.")
    _: nn.KW_ONLY
    square: nn.Flag = nn.Flag("Whether y is squared.", default=False)

    def _setup(self):
        self.add_parameters(weight=np.linspace(0.5, 1.5, self.features), bias=np.zeros(self.features))

    def _forward(self, x, training):
        weight = self.params["weight"].copy()
        y = x * weight + self.params["bias"]
        return (y * y if self.square else y), (x, y, weight)

    def _backward(self, saved, dy):
        x, y, weight = saved
        dy = 2 * y * dy if self.square else dy
        self.grads["weight"] += (dy * x).reshape(-1, self.features).sum(axis=0)
        self.grads["bias"] += dy.reshape(-1, self.features).sum(axis=0)
        return dy * weight


class Scale(nn.StatelessLayer):
    """y = weight x, with a plain constructor that keeps its arguments."""

    def __init__(self, features, gain=1.0, seed=None):
        super().__init__()
        self.features, self.gain = features, gain
        self.add_parameters(weight=gain * np.random.default_rng(seed).uniform(0.5, 1, features))

    def _forward(self, x, training):
        return x * self.params["weight"], x

    def _backward(self, x, dy):
        self.grads["weight"] += (dy * x).reshape(-1, self.features).sum(axis=0)
        return dy * self.params["weight"]


class Sum(nn.StatefulLayer):
    """h_t = h_(t-1) + weight x_t on full sequences (T, N, F)."""

    features: nn.Size = nn.Size("F.")

    def _setup(self):
        self.add_parameters(weight=np.ones(self.features))

    def _forward(self, x, state, lengths, training):
        h = np.cumsum(x * self.params["weight"], axis=0) + (0 if state is None else state)
        return h, h[-1], x

    def _backward(self, x, dy, dstate, extras):
        dh = np.cumsum(dy[::-1], axis=0)[::-1] + (0 if dstate is None else dstate)
        self.grads["weight"] += (dh * x).sum(axis=(0, 1))
        return dh * self.params["weight"], dh[0]


class Mixture(nn.Container, nn.StatelessLayer):
    """y = gate first(x) + (1 - gate) second(x), two children and a parameter of its own."""

    first: nn.Sublayer = nn.Sublayer("A layer without a state.", nn.Layer)
    second: nn.Sublayer = nn.Sublayer("Another.", nn.Layer)

    def _setup(self):
        self.add_parameters(gate=[0.25])

    def _forward(self, x, training):
        (a, _, first), (b, _, second) = (layer.apply(x, None, None, training) for layer in (self.first, self.second))
        gate = self.params["gate"][0]
        return gate * a + (1 - gate) * b, (first, second, a - b, gate)

    def _backward(self, saved, dy):
        first, second, difference, gate = saved
        self.grads["gate"] += np.vdot(dy, difference)
        dx, _ = self.first.apply_backward(first, gate * dy, None)
        return dx + self.second.apply_backward(second, (1 - gate) * dy, None)[0]


class Noise(nn.StatelessLayer):
    """x plus noise in training, of a generator that copies and checkpoints continue."""

    scale: nn.Number = nn.Number("The standard deviation.", nn.Interval(0), default=0.1)
    _: nn.KW_ONLY
    seed: nn.Seed = nn.Seed("Of the noise.", default=None)

    def _setup(self, seed):
        self._rng = seed

    def _forward(self, x, training):
        noise = self._rng.normal(0, self.scale, x.shape).astype(self.dtype) if training else self.dtype.type(0)
        return x + noise, None

    def _backward(self, saved, dy):
        return dy


def own_model(dtype=np.float32, seed=0):
    """x (T, N, 3) to y (T, N, 3) through one of each."""
    return fr.Sequential(
        fr.Linear(3, 3, seed=seed, dtype=dtype),
        Noise(0.01, seed=seed, dtype=dtype),
        Mixture(Affine(3, square=True, dtype=dtype), fr.Residual(Affine(3, dtype=dtype))),
        Sum(3, dtype=dtype),
        fr.GRU(3, 3, seed=seed + 1, dtype=dtype),
    )


OWN = [Affine, Mixture, Noise, Scale, Sum]
