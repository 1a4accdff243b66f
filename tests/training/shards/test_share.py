# SPDX-License-Identifier: BSD-3-Clause
"""What ranks tell each other of a window."""

import pickle

from fastrnn.losses import Mean
from fastrnn.training._shards.share import Place, Share, SummedWindow


def test_a_share_arrives_as_it_was_sent():
    """With the weight of its loss."""
    share = Share(Mean(3.0, 2.0), {"accuracy": Mean(1.0, 2.0)}, {}, 2, 2, Place(1, 5, True, None))
    received = pickle.loads(pickle.dumps(share))
    assert received == share and (received.loss.total, received.loss.weight) == (3.0, 2.0)


def test_the_window_of_all_shards_counts_their_positions():
    """It has no output to count."""
    window = SummedWindow(Mean(3.0, 7.0), 5, 7, True, None, None, None, None, None, {})
    window.counted = 7
    assert window.positions == 7
