# SPDX-License-Identifier: BSD-3-Clause
"""What acts on a state between two steps: leaky units, zoneout, dropout and clipping inside the loop.

Here they are options, and masks drawn for a call; the kernels apply them at every step.
"""

from typing import NamedTuple

import numpy as np

from . import arguments, functional


class Remedies(NamedTuple):
    """Options of a recurrent layer, checked. In brackets: what changes nothing."""

    recurrent_dropout: float  # [0]
    zoneout: tuple[float, ...]  # [(0,) or (0, 0)] of h and c
    weight_drop: float  # [0]
    delta_clip: float | None  # [None]
    leak: float  # [1]

    @classmethod
    def checked(cls, parts, recurrent_dropout, zoneout, weight_drop, delta_clip, leak):
        """The options as a caller gives them; `parts` is what a state consists of: ("h",) or ("h", "c")."""
        given = zoneout if isinstance(zoneout, tuple | list) else (zoneout,) * len(parts)
        if len(given) != len(parts):
            raise ValueError(f"zoneout: expected a probability or ({', '.join(parts)}), got {zoneout!r}")
        return cls(
            arguments.as_probability("recurrent_dropout", recurrent_dropout),
            tuple(arguments.as_probability("zoneout", p) for p in given),
            arguments.as_probability("weight_drop", weight_drop),
            None if delta_clip is None else arguments.as_positive("delta_clip", delta_clip),
            arguments.as_share("leak", leak),
        )

    def config(self):
        """Those that change something, as plain values."""
        found = self._asdict()
        found["zoneout"] = list(self.zoneout) if len(set(self.zoneout)) > 1 else self.zoneout[0]
        return {name: value for name, value in found.items() if value not in (0, None) and (name, value) != ("leak", 1)}

    def _share(self, p):
        """What a step takes of its new value, on average."""
        return self.leak * (1 - p)

    def inference(self, H, dtype):
        """The `functional.StateUpdate` of inference: what zoneout does on average."""
        shares = [None if self._share(p) == 1 else np.full(H, self._share(p), dtype) for p in self.zoneout]
        return functional.StateUpdate(*shares) if any(share is not None for share in shares) else functional.PLAIN

    def training(self, rng, T, N, H, dtype):
        """The `functional.StateUpdate` of one layer and direction in one call of `forward`, with masks of its own."""
        shares = []
        for p in self.zoneout:
            if p:
                share = (rng.random((T, N, H), np.float32) >= p).astype(dtype)
                share *= dtype.type(self.leak)
            else:
                share = None if self.leak == 1 else np.full(H, self.leak, dtype)
            shares.append(share)
        mask = dropped(rng, self.recurrent_dropout, (N, H), dtype) if self.recurrent_dropout else None
        return functional.StateUpdate(*shares, mask=mask, clip=self.delta_clip or 0.0)


def dropped(rng, p, shape, dtype):
    """A mask of dropout: 0 with probability p, else 1/(1-p)."""
    mask = (rng.random(shape, np.float32) >= p).astype(dtype)
    mask *= dtype.type(1 / (1 - p))
    return mask
