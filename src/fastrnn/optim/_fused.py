# SPDX-License-Identifier: BSD-3-Clause
"""Optimizers whose rule the engine has: one call for all parameters."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from .._engine import elementwise
from .._engine.arguments import Array
from .._engine.elementwise import Parameter
from ._optimizer import Optimizer


class EngineRule(NamedTuple):
    """A rule of csrc/engine/update.h as it is at one step, and which moments of an optimizer are its m, s and v."""

    rule: elementwise.Rule
    m: str | None = None
    s: str | None = None
    v: str | None = None

    def update(self, p: Array, g: Array, **moments: Array) -> None:
        """Update one parameter."""
        elementwise.update([self.of(p, g, moments)])

    def of(self, p: Array, g: Array, moments: Mapping[str, Array]) -> Parameter:
        """A parameter with its gradient and its moments, which the rule updates."""
        rule, m, s, v = self
        return rule, p, g, m and moments[m], s and moments[s], v and moments[v]  # type: ignore[return-value]


class FusedOptimizer(Optimizer):
    """An optimizer whose rule includes the weight decay: one of csrc/engine/update.h, or a loop over small blocks.

    A class that defines `_engine_rule` besides `update` says with it what `update` does, for all parameters at once. A
    subclass with another `update` or `decay_weights` is asked for one parameter after another, as any `Optimizer`.
    """

    def _setup(self, groups: Mapping[str, Mapping[str, Any]] | None) -> None:
        super()._setup(groups)
        own_decay = type(self).decay_weights is not FusedOptimizer.decay_weights
        self._in_one_call = _one_class_defines(type(self), "update", "_engine_rule") and not own_decay

    def decay_weights(self, p: Array, g: Array) -> Array:
        """Return the gradient unchanged: the rule adds the weight decay."""
        return g

    def _engine_rule(self) -> EngineRule | None:
        """The rule of this step; None for one that the engine does not have."""
        return None

    def _update_all(self, params: Mapping[str, Array], grads: Mapping[str, Array]) -> None:
        if not self._in_one_call:
            super()._update_all(params, grads)
            return
        shared, together = self._engine_rule(), []
        for name, p in params.items():
            one: Any = self._rule(name) if self._own[name] else self
            rule = shared if one is self else one._engine_rule()
            if rule is None:
                one.update(p, grads[name], **self.state[name])
            else:
                together.append(rule.of(p, grads[name], self.state[name]))
        elementwise.update(together)


def _one_class_defines(kind: type, *names: str) -> bool:
    """Whether a class has these methods from the same class, itself or a base: a subclass may redefine one alone."""
    return len({next(base for base in kind.__mro__ if name in vars(base)) for name in names}) == 1
