# SPDX-License-Identifier: BSD-3-Clause
"""A model of the time of one step of `fastrnn.fit` with shards, against ranks, batch, parameters and network.

A rank computes its S / R shards one after another, each of N / S rows. Then the ranks exchange twice: reports (losses,
errors, checksums), a few hundred bytes, and the gradients. What follows, the norm and the update of all parameters, is
the same on every rank, and does not become shorter; nor do the reports, which in the end have all shards in them.

An exchange of n bytes takes what its software needs, two messages (how many bytes follow, and these), and n divided by
the bandwidth. Up to two ranks, or of small models, gradients are exchanged whole at each of the log2(R) levels of the
tree; else by halving and gathering: twice as many messages, but at most twice the bytes of the gradients in all.

It leaves out: waiting for the slowest of many ranks, other traffic, and that cores share caches and memory.
"""

from collections.abc import Mapping
from typing import NamedTuple

from fastrnn.distributed._communicator import LARGE


class Network(NamedTuple):
    """What carries a message.

    Attributes
    ----------
    latency : float
        Seconds of a message without content, one way.
    bandwidth : float
        Bytes per second in each direction, both at once.
    """

    latency: float
    bandwidth: float


class Costs(NamedTuple):
    """Seconds of one process for the parts of a step, as they were measured.

    Attributes
    ----------
    shard : dict of int to float
        Forward and backward pass of a shard, by its number of rows.
    add : float
        Adding the gradients of one shard to those of another.
    rest : float
        All else, in every step on every rank: the norm of the gradients, the update.
    exchange : float
        The software's part of an exchange.
    share : float
        Packing and unpacking what a shard reports.
    nbytes : int
        Of the gradients.
    """

    shard: dict[int, float]
    add: float
    rest: float
    exchange: float
    share: float
    nbytes: int


class Step(NamedTuple):
    """Seconds of the parts of a step."""

    compute: float
    add: float
    messages: float
    transfer: float
    rest: float

    @property
    def total(self) -> float:
        return sum(self)


def shard_time(shard: Mapping[int, float], rows: float) -> float:
    """Seconds of a shard, between measured numbers of rows on a straight line, above the last in proportion."""
    known = sorted(shard)
    if rows >= known[-1]:
        return shard[known[-1]] * rows / known[-1]
    if rows <= known[0]:
        return shard[known[0]]
    high = next(k for k, number in enumerate(known) if number >= rows)
    a, b = known[high - 1], known[high]
    return shard[a] + (shard[b] - shard[a]) * (rows - a) / (b - a)


def step_time(costs: Costs, network: Network, ranks: int, batch: int, shards: int, *, cores: int | None = None) -> Step:
    """The parts of a step.

    Parameters
    ----------
    costs : Costs
    network : Network
    ranks : int
        A power of two that divides `shards`.
    batch, shards : int
        Rows, and into how many shards they are cut.
    cores : int, optional
        Those that all ranks share, if they have not one each.
    """
    if ranks < 1 or ranks & (ranks - 1) or shards % ranks:
        raise ValueError(f"ranks: expected a power of two that divides {shards} shards, got {ranks}")
    levels, own, part = ranks.bit_length() - 1, shards // ranks, 1 - 1 / ranks
    whole = ranks <= 2 or costs.nbytes < LARGE
    exchanges = levels + (levels if whole else 2 * levels)  # reports, gradients
    sent, added = (levels, levels) if whole else (2 * part, part)
    crowd = max(1.0, ranks / (cores or ranks))
    return Step(
        compute=crowd * own * shard_time(costs.shard, batch / shards),
        add=crowd * (own - 1 + added) * costs.add,
        messages=exchanges * (crowd * costs.exchange + 2 * network.latency) + crowd * (shards - own) * costs.share,
        transfer=sent * costs.nbytes / network.bandwidth,
        rest=crowd * costs.rest,
    )


def speed_up(costs: Costs, network: Network, ranks: int, batch: int, shards: int) -> float:
    """How many times the rows per second of one process with whole batches of as many rows."""
    alone = shard_time(costs.shard, batch) + costs.rest
    return alone / step_time(costs, network, ranks, batch, shards).total


def least_rows(costs: Costs, network: Network, ranks: int, efficiency: float) -> int | None:
    """How many rows each rank needs, a power of two, for a part of the ideal speed-up; None if 4096 do not suffice."""
    numbers = (1 << k for k in range(13))
    return next((n for n in numbers if speed_up(costs, network, ranks, n * ranks, ranks) >= efficiency * ranks), None)
