# SPDX-License-Identifier: BSD-3-Clause
"""The model of a step on several ranks: its parts, and where they stop to become shorter."""

import pytest

from fastrnn.benchmarks._scale.model import Costs, Network, least_rows, shard_time, speed_up, step_time

FREE = Network(0.0, float("inf"))
SLOW = Network(1e-4, 1e8)
SHARD = {1: 2e-3, 4: 5e-3, 16: 17e-3, 64: 65e-3}  # 1 ms, and one for each row
COSTS = Costs(SHARD, add=1e-4, rest=1e-3, exchange=1e-5, share=0.0, nbytes=1 << 20)
SMALL = COSTS._replace(nbytes=1 << 10)


def test_rows_between_those_that_were_measured():
    assert shard_time(SHARD, 4) == pytest.approx(5e-3)
    assert shard_time(SHARD, 10) == pytest.approx(11e-3)
    assert shard_time(SHARD, 128) == pytest.approx(130e-3)
    assert shard_time(SHARD, 0.5) == 2e-3  # a shard of no rows, or of one: not less than that of one


def test_one_rank_exchanges_nothing():
    step = step_time(COSTS, SLOW, 1, 64, 4)
    assert (step.messages, step.transfer) == (0, 0)
    assert step.compute == pytest.approx(4 * 17e-3) and step.add == pytest.approx(3e-4) and step.rest == 1e-3
    assert step.total == pytest.approx(4 * 17e-3 + 3e-4 + 1e-3)


def test_ranks_divide_the_shards():
    """And the adds: 3 by one rank; on two one each, and one of both."""
    for ranks, add in (2, 2e-4), (4, 2e-4):
        step = step_time(SMALL, FREE, ranks, 64, 4)
        assert step.compute == pytest.approx(4 / ranks * 17e-3) and step.add == pytest.approx(add)


def test_small_gradients_are_sent_whole_large_ones_in_pieces():
    """Reports and gradients: 3 + 3 exchanges of two messages each on 8 ranks; or 3 + 6, with 7/8 of the bytes twice."""
    step = step_time(SMALL, SLOW, 8, 64, 8)
    assert step.messages == pytest.approx(6 * (1e-5 + 2e-4)) and step.transfer == pytest.approx(3 * 1024 / 1e8)
    step = step_time(COSTS, SLOW, 8, 64, 8)
    assert step.messages == pytest.approx(9 * (1e-5 + 2e-4)) and step.transfer == pytest.approx(1.75 * 2**20 / 1e8)
    assert step_time(COSTS, SLOW, 2, 64, 2).transfer == pytest.approx(2**20 / 1e8)


def test_reports_hold_all_shards_in_the_end():
    """Each rank packs and unpacks those of the others."""
    messages = [step_time(SMALL._replace(share=1e-3), FREE, ranks, 64, 8).messages for ranks in (1, 2, 8)]
    assert messages == [0, pytest.approx(4e-3 + 2e-5), pytest.approx(7e-3 + 6e-5)]


def test_ranks_that_share_cores():
    alone, crowded = step_time(SMALL, FREE, 4, 64, 4), step_time(SMALL, FREE, 4, 64, 4, cores=2)
    assert crowded.compute == 2 * alone.compute and crowded.rest == 2 * alone.rest
    assert step_time(SMALL, FREE, 2, 64, 4, cores=2) == step_time(SMALL, FREE, 2, 64, 4)


def test_what_limits_the_speed_up():
    """The update at the latest, however fast the network; a slow network earlier."""
    limits = [speed_up(COSTS._replace(exchange=0, add=0), FREE, ranks, 1024, 1024) for ranks in (1, 16, 1024)]
    assert limits == sorted(limits)
    assert limits[-1] == pytest.approx((1040e-3 + 1e-3) / (2e-3 + 1e-3))
    assert speed_up(COSTS, SLOW, 256, 1024, 1024) < speed_up(COSTS, FREE, 256, 1024, 1024)


def test_from_which_sizes_it_pays():
    """The rows of each rank that make up for the exchange; a network may be too slow for any."""
    assert least_rows(COSTS, FREE, 16, 0.5) < least_rows(COSTS, SLOW, 16, 0.5)
    rows = least_rows(COSTS, SLOW, 16, 0.5)
    assert speed_up(COSTS, SLOW, 16, 16 * rows, 16) >= 8 > speed_up(COSTS, SLOW, 16, 8 * rows, 16)
    assert least_rows(COSTS, Network(10.0, 1.0), 2, 0.5) is None


@pytest.mark.parametrize("ranks", [0, 3, 8])
def test_ranks_that_do_not_divide(ranks):
    with pytest.raises(ValueError, match="ranks: expected a power of two that divides 4 shards"):
        step_time(COSTS, FREE, ranks, 64, 4)
