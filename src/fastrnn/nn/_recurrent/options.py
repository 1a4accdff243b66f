# SPDX-License-Identifier: BSD-3-Clause
"""The options of RNN, LSTM and GRU, and what a layer says of itself by them."""

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
    num_layers: Size = Size("L; each further layer reads the outputs of the layer below.", default=1)
    _: KW_ONLY
    bias: Flag = Flag("Whether the layers have the biases b_ih and b_hh.", default=True)
    batch_first: Flag = Flag("Sequences are (N, T, features) instead of (T, N, features).", default=False)
    dropout: Number = Number(
        "The probability with which `forward` zeroes an output between two layers; the others are scaled by 1/(1-p).",
        PROBABILITY,
        default=0.0,
    )
    bidirectional: Flag = Flag(
        "A second direction reads each row from its own end; the outputs are concatenated. D is then 2, else 1.",
        default=False,
    )
    recompute: Flag = Flag(
        "`forward` saves a state every so many steps instead of the gates of every step, and `backward` computes them "
        "again: about a third more time, and a tape of a fraction of the output's size (of two directions, besides the "
        "outputs between layers). For long sequences.",
        default=False,
    )
    dtype: DType = DType(default=np.float32)
    seed: Seed = Seed("Of the initial parameters and of all masks: the same seed gives the same run.", default=None)
    recurrent_dropout: Number = Number(RECURRENT_DROPOUT, PROBABILITY, default=0.0, omit=True)
    zoneout: Probabilities = Probabilities(ZONEOUT, ("h",), default=0.0)
    weight_drop: Number = Number(WEIGHT_DROP, PROBABILITY, default=0.0, omit=True)
    delta_clip: OptionalNumber = OptionalNumber(DELTA_CLIP, POSITIVE, default=None, omit=True)
    learn_initial_state: Flag = Flag(
        "Where no state is given, each row begins with parameters ``h0`` and, of an LSTM, ``c0`` (L*D, H), which are 0 "
        "at first and learn, instead of zeros.",
        default=False,
        omit=True,
    )
    reverse: Flag = Flag(
        "Each row is read from its own last step to its first, by the further layers, too: y[t] comes from the steps "
        "from t on, and the final state is that after step 0. Not with `bidirectional`.",
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
        """The options in use that refer to a sequence as a whole, so that it cannot be run step by step."""
        return [name for name in ("recurrent_dropout", "weight_drop") if getattr(self, name)]

    def refusing_options(self, takes: str) -> list[str]:
        # The gradient of an initial state that is learned would come from every reset.
        return ["learn_initial_state"] if takes == "takes_resets" and self.learn_initial_state else []

    @property
    def takes_resets(self) -> bool:
        return not self.refusing_options("takes_resets")
