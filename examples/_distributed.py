# SPDX-License-Identifier: BSD-3-Clause
"""The language model on several processes by MPI, and on one: the same parameters, to the last bit.

make demo-distributed
"""

import sys
import time
import zlib

import numpy as np
from language_model import encode, make_model, read_text, train

import fastrnn as fr

EPOCHS, SHARDS = 1, 2


def trained(communicator=None):
    """A checksum of the parameters after an epoch, and the seconds of it and of its validation."""
    text = read_text()
    split = len(text) * 9 // 10
    vocabulary = sorted(set(text[:split]))
    tokens = encode(text, vocabulary)
    model = make_model(len(vocabulary) + 1, 256, seed=0)
    start = time.perf_counter()
    options = {} if communicator is None else {"shards": SHARDS, "communicator": communicator}
    train(model, tokens[:split], tokens[split:], EPOCHS, **options)  # rank 0 alone shows the progress
    seconds = time.perf_counter() - start
    return zlib.crc32(b"".join(np.ascontiguousarray(p).tobytes() for p in model.params.values())), seconds


def main():
    fr.set_num_threads(1)
    ranks = fr.distributed.MPI()
    (together, seconds), processes = trained(ranks), ranks.size
    everyone = ranks.gather(together)
    if ranks.rank:
        return
    alone, seconds_alone = trained(fr.distributed.Local())
    _, seconds_whole = trained()
    print(f"{processes} processes, {SHARDS} shards: {seconds:.1f} s, parameters {everyone[0]:08x}")
    print(f"1 process,   {SHARDS} shards: {seconds_alone:.1f} s, parameters {alone:08x}")
    print(f"1 process without shards: {seconds_whole:.1f} s")
    if set(everyone) != {alone}:
        sys.exit("The parameters differ.")


if __name__ == "__main__":
    main()
