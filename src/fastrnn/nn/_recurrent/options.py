# SPDX-License-Identifier: BSD-3-Clause
"""The options of RNN, LSTM and GRU, and properties that follow from them."""

import numpy as np

from ..._engine.arguments import POSITIVE, PROBABILITY
from .._option import KW_ONLY
from .._options import DType, Flag, Number, OptionalNumber, Probabilities, Seed, Size
from .._signal import BACKWARDS
from .._stateful import State
from .quick import QuickLayer
from .regularization import DELTA_CLIP, RECURRENT_DROPOUT, WEIGHT_DROP, ZONEOUT


class RecurrentOptions(QuickLayer[State]):
    """The options that RNN, LSTM and GRU share."""

    input_size: Size = Size("I, the features of each step of x.")
    hidden_size: Size = Size("H, the units of each layer and direction.")
    num_layers: Size = Size("L, the number of stacked layers.", default=1)
    _: KW_ONLY
    bias: Flag = Flag("Whether the layers have the biases b_ih and b_hh.", default=True)
    batch_first: Flag = Flag("Whether sequences are (N, T, features) instead of (T, N, features).", default=False)
    dropout: Number = Number(
        "p, the probability with which `forward` zeroes an output between two layers; the others are scaled by "
        "1/(1-p).",
        PROBABILITY,
        default=0.0,
    )
    bidirectional: Flag = Flag(
        "Whether a second direction reads each row from its own end. The outputs are concatenated. D is then 2, else "
        "1.",
        default=False,
    )
    recompute: Flag = Flag(
        "Gradient checkpointing, for long sequences: `forward` saves only some of the states, and `backward` "
        "recomputes the gates. This takes about a third more time, and the tape is a fraction of the size of the "
        "output (with two directions, plus the outputs between layers).",
        default=False,
    )
    dtype: DType = DType(default=np.float32)
    seed: Seed = Seed("Seed of the initial parameters and of all random masks.", default=None)
    recurrent_dropout: Number = Number(RECURRENT_DROPOUT, PROBABILITY, default=0.0, omit=True)
    zoneout: Probabilities = Probabilities(ZONEOUT, ("h",), default=0.0)
    weight_drop: Number = Number(WEIGHT_DROP, PROBABILITY, default=0.0, omit=True)
    delta_clip: OptionalNumber = OptionalNumber(DELTA_CLIP, POSITIVE, default=None, omit=True)
    learn_initial_state: Flag = Flag(
        "Whether the initial state is a parameter: ``h0``, and for an LSTM ``c0``, each (L*D, H) and initially 0. It "
        "is used where no state is given.",
        default=False,
        omit=True,
    )
    reverse: Flag = Flag(
        "Whether all layers read each row from its last step to its first: y[t] depends on the steps from t on, and "
        "the final state is the state after step 0. Cannot be combined with `bidirectional`.",
        default=False,
        omit=True,
    )

    def _check_directions(self) -> None:
        if self.reverse and self.bidirectional:
            raise ValueError("reverse: expected False with bidirectional=True, which has both directions, got True")

    @property
    def features_in(self) -> int:
        return self.input_size

    def features_after(self, features: int | None) -> int:
        return (2 if self.bidirectional else 1) * self.hidden_size

    def directions_after(self, directions: int | None) -> int:
        return 2 if self.bidirectional else BACKWARDS if self.reverse else 1

    @property
    def reads_ahead(self) -> bool:
        return self.bidirectional or self.reverse

    def whole_sequence_options(self) -> list[str]:
        """The options in use that apply to a whole sequence, so that the layer cannot run step by step."""
        return [name for name in ("recurrent_dropout", "weight_drop") if getattr(self, name)]

    def refusing_options(self, takes: str) -> list[str]:
        # The gradient of an initial state that is learned would come from every reset.
        return ["learn_initial_state"] if takes == "takes_resets" and self.learn_initial_state else []

    @property
    def takes_resets(self) -> bool:
        return not self.refusing_options("takes_resets")
