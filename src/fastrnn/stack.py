# SPDX-License-Identifier: BSD-3-Clause
"""A stack of recurrent layers: directions, time, and what goes from one layer to the next."""

import numpy as np

from . import functional, recompute
from .layer import Tape
from .parameters import StackParameters
from .remedies import dropped
from .stream import Stream, pair

# Inference runs a stack in blocks of time, all layers on one block before the next, so that what is between the layers
# stays this small however long the sequence is. The bits are those of the whole sequence at once.
BLOCK_ELEMENTS = 1 << 18
BLOCK_STEPS = 16  # at least


class Stack(StackParameters):
    """What RNN, LSTM and GRU share: all but the cell. See there for the arguments."""

    stateful = takes_lengths = True

    @property
    def features_in(self):
        return self.input_size

    def features_after(self, features):
        return self.num_directions * self.hidden_size

    def _enter(self, x, state, lengths):
        """Checked arguments: x (T, N, I), its layout, the initial state, lengths or None."""
        x, layout = functional.as_sequence("x", x, self.input_size, self.dtype, self.batch_first)
        T, N, _ = x.shape
        shape = (self.num_layers * self.num_directions, N, self.hidden_size)
        state = functional.as_states("state", state, self._parts, shape, layout.batched, self.dtype)
        if lengths is not None:
            lengths = functional.as_lengths(lengths, T, N)
        return x, layout, state, lengths

    def _empty_state(self, N):
        shape = (self.num_layers * self.num_directions, N, self.hidden_size)
        return tuple(np.empty(shape, self.dtype) for _ in self._parts)

    def _leave(self, state, layout):
        """A state as the caller has it."""
        if not layout.batched:
            state = tuple(array[:, 0] for array in state)
        return state if len(state) > 1 else state[0]

    def _layer(self, run, layer, x, y, state, final, passes, **how):
        """One layer, all directions; y (T, N, D*H) is written.

        `run` is a forward function, `how` its options, and `passes` have the weights and the state update of each
        direction.
        """
        H, saved = self.hidden_size, []
        for direction, (pack, state_update) in enumerate(passes):
            k, half = layer * self.num_directions + direction, y[..., direction * H : (direction + 1) * H]
            ends = pair(state, k), pair(final, k)
            saved.append(run(self.cell, pack, x, half, *ends, state_update=state_update, reverse=direction == 1, **how))
        return saved

    def _training_pass(self, layer, direction, T, N):
        """Weights and state update of one call of `forward`, and what w_hh was multiplied by (None: nothing)."""
        if self._still:
            return self._weights[layer][direction].pack(), self._state_update, None
        state_update = self._remedies.training(self._rng, T, N, self.hidden_size, self.dtype)
        if not self._remedies.weight_drop:
            return self._weights[layer][direction].pack(), state_update, None
        w_ih, w_hh, *biases = self._arrays(layer, direction)
        mask = dropped(self._rng, self._remedies.weight_drop, w_hh.shape, self.dtype)
        weights = functional.weights(
            self.cell, self.dtype, self._input_size(layer), self.hidden_size, (w_ih, w_hh * mask, *biases), self.params
        )
        return weights.pack(), state_update, mask

    def __call__(self, x, state=None, lengths=None):
        """Inference: keeps nothing.

        Parameters
        ----------
        x : array_like, shape (T, N, I), with `batch_first` (N, T, I), or unbatched (T, I)
        state : array_like or tuple, optional
            h (RNN, GRU) or (h, c) (LSTM), each (L*D, N, H), unbatched (L*D, H). Zero by default.
        lengths : array_like of int, shape (N,), optional
            How many steps of each row count, 0..T, in any order.

        Returns
        -------
        y : ndarray
            Output of the last layer, D*H features in x's layout; 0 beyond a row's length.
        state : ndarray or tuple
            The state after each row's own last step, as the argument `state`.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what came.
        """
        if lengths is None and (done := self._small(x, state)) is not None:
            return done
        x, layout, state, lengths = self._enter(x, state, lengths)
        (T, N, _), D, H = x.shape, self.num_directions, self.hidden_size
        y = np.empty(layout.shape(T, N, D * H), self.dtype)
        final = self._empty_state(N)
        if self.num_layers == 1 or D == 2:
            self._infer(x, layout.time_major(y), state, final, functional.order_of(lengths, T))
        else:
            steps = max(BLOCK_STEPS, BLOCK_ELEMENTS // (N * H)) if N else T
            for t in range(0, max(T, 1), max(steps, 1)):
                block = slice(t, min(t + steps, T))
                left = None if lengths is None else np.clip(lengths - t, 0, block.stop - t)
                order = functional.order_of(left, block.stop - t)
                self._infer(x[block], layout.time_major(y)[block], state, final, order)
                state = final
        return y, self._leave(final, layout)

    def _infer(self, x, y, state, final, order):
        """All layers; between them at most two arrays of y's shape, (T, N, D*H)."""
        spare = [np.empty(y.shape, self.dtype) for _ in range(min(self.num_layers - 1, 2))]
        for layer in range(self.num_layers):
            last = layer == self.num_layers - 1
            out = y if last else spare[layer % 2]
            passes = [(weights.pack(), self._state_update) for weights in self._weights[layer]]
            self._layer(functional.forward, layer, x, out, state, final, passes, order=order)
            x = out

    def forward(self, x, state=None, lengths=None):
        """Training: as a call, with dropout between the layers, and keeping what `backward` needs.

        The tape refers to `x` and `y` instead of copying them: `y` is therefore read-only (copy it to change it), and
        `x` must not be changed before `backward`.

        Returns
        -------
        y : ndarray, read-only
        state : ndarray or tuple
        tape : Tape
            For one call of `backward`.
        """
        x, layout, state, lengths = self._enter(x, state, lengths)
        (T, N, _), D, H = x.shape, self.num_directions, self.hidden_size
        final = self._empty_state(N)
        if self.recompute and len(recompute.blocks(T, N, False)) > 1:
            run, how = recompute.forward, {"lengths": lengths}
        else:
            run, how = functional.forward, {"order": functional.order_of(lengths, T), "keep": True}
        saved, masks, drops = [], [], []
        for layer in range(self.num_layers):
            last = layer == self.num_layers - 1
            out = np.empty(layout.shape(T, N, D * H) if last else (T, N, D * H), self.dtype)
            y = layout.time_major(out) if last else out
            passes = [self._training_pass(layer, direction, T, N) for direction in range(D)]
            saved.append(self._layer(run, layer, x, y, state, final, [given[:2] for given in passes], **how))
            drops.append([given[2] for given in passes])
            x = y
            if self.dropout and not last:
                mask = self._rng.random(y.shape, np.float32) >= self.dropout
                x = y * mask
                x *= 1 / (1 - self.dropout)
                masks.append(mask)
        out.flags.writeable = False
        return out, self._leave(final, layout), Tape(self, (layout, saved, masks, drops))

    def backward(self, tape, dy, dstate=None):
        """Back-propagation through time.

        Parameters
        ----------
        tape : Tape
            From this layer's `forward`; used up.
        dy : array_like
            Gradient of the loss with respect to y, of y's shape.
        dstate : array_like or tuple, optional
            Gradient with respect to the final state, as the state. Zero by default.

        Returns
        -------
        dx : ndarray
            Gradient with respect to x; 0 beyond a row's length.
        dstate : ndarray or tuple
            Gradient with respect to the initial state.

        Raises
        ------
        TypeError, ValueError
            The tape is used or another layer's, or a gradient has the wrong dtype or shape. Nothing is added then.

        Notes
        -----
        The gradients of the parameters are added into `grads`.
        """
        layout, saved, masks, drops = Tape.check(tape, self)
        T, N, I = saved[0][0].x.shape
        D, H = self.num_directions, self.hidden_size
        dy = functional.as_gradient("dy", dy, layout, (T, N, D * H), self.dtype)
        dfinal = self.check_dstate(tape, dstate)
        self.check_grads()
        tape.use()
        dinitial = self._empty_state(N)
        for layer in reversed(range(self.num_layers)):
            out = np.zeros(layout.shape(T, N, I) if layer == 0 else (T, N, D * H), self.dtype)
            dx = layout.time_major(out) if layer == 0 else out
            for direction in range(D):
                k = layer * D + direction
                grads = list(map(self.grads.own().get, self._names(layer, direction)))
                dw_hh, drop = grads[1], drops[layer][direction]
                if drop is not None:
                    grads[1] = np.zeros_like(dw_hh)
                half = dy[..., direction * H : (direction + 1) * H]
                saved_here = saved[layer][direction]
                back = recompute.backward if isinstance(saved_here, recompute.Saved) else functional.backward
                back(
                    self.cell, saved_here, half, pair(dfinal, k), dx, pair(dinitial, k), grads,
                    **self._also(tape, saved_here, layer, direction),
                )  # fmt: skip
                if drop is not None:
                    dw_hh += grads[1] * drop
            if layer and masks:
                dx *= masks[layer - 1]
                dx *= 1 / (1 - self.dropout)
            dy = dx
        return out, self._leave(dinitial, layout)

    def _also(self, tape, saved, layer, direction):
        """What else `functional.backward` is to do."""
        return {}

    def check_dstate(self, tape, dstate):
        """Upstream gradients of the final state, as arrays (L*D, N, H) or None, or the error that they deserve."""
        layout, saved, *_ = Tape.check(tape, self)
        shape = (self.num_layers * self.num_directions, saved[0][0].x.shape[1], self.hidden_size)
        return functional.as_states("dstate", dstate, self._parts, shape, layout.batched, self.dtype)

    def stream(self, batch=1):
        """Run the layer one step at a time.

        Parameters
        ----------
        batch : int
            N.

        Returns
        -------
        Stream

        Raises
        ------
        ValueError
            The layer is bidirectional: its reverse direction would have to begin at the end.
        """
        return Stream(self, batch)
