# SPDX-License-Identifier: BSD-3-Clause
"""Gradients in shards: the same bits on any number of processes.

A training with ``shards=S`` cuts every batch into S shards by row number, whatever computes them: shard k of a batch of
N rows has the rows from ``k N // S`` to ``(k + 1) N // S``, so that some may be empty.

Data in (`cut`). Of arrays and lists every rank draws the numbers of the rows of a batch, the same in the same order,
and gathers those of its own shards (`fastrnn.training._data.draw`). Of an iterable it has the whole batch, and cuts
its shards out of that. A shard is a batch of its own, padded to its own longest row. Of the whole batch nothing is
known but how many rows it has: all else is a sum over shards, of numbers with their weights. Whether all ranks have
the same data is compared before the first step, by checksums of all that is in memory (`whole_data`), and in samples
(`same_data`), which travel with the losses.

Randomness (`masks`). Before each shard the generators of all layers are set to a state that is a function of the state
with which the training began, the number of the step and the number of the shard. That first state is the one in a
checkpoint, which is how a resumed training finds the same masks.

Gradients (`gradients`). Shard k gives w_k g_k, the gradient g_k of its own mean loss by the weight w_k of that mean:
the number of positions, or the sum of their weights. These are added in a binary tree over the shards, halves of
halves, in the dtype of the parameters, and the sum is divided by the sum of the w_k: the gradient of the mean over the
batch. A rank has consecutive shards, a subtree or several, and adds them by itself; the upper levels are exchanged
between ranks (`Communicator.add_leaves`). A loss with ``reduction="sum"`` has w_k = 1, and nothing is divided.

Truncated back-propagation (`truncate`) cuts each shard in time. The windows of all shards at one time are one step;
their states are gathered, too, so that a checkpoint has those of all shards.

What is not a gradient (`sharded`): losses, metrics and what layers report are gathered, total and weight of each shard,
and added in the order of the shards by every rank. With them travel an error, a Ctrl-C and every so often a checksum of
the parameters, so that all ranks stop in the same step or none does. Clipping, penalties, the optimizer and the
schedule then run on every rank, with the same numbers. Rank 0 alone writes checkpoints and shows progress.

Validation. Its batches are whole: each rank runs one of every R, and adds up the means of all in the order of batches.

The beginning (`team`): ranks compare versions, options and data, and take the parameters of rank 0, or a checkpoint.
"""
