# SPDX-License-Identifier: BSD-3-Clause
"""Peers of test_benchmarks that misbehave."""

import os
import time

from fastrnn.benchmarks.peers.numpy import Peer as Right


class Wrong(Right):
    """Is off by a thousandth of the largest magnitude, in one element."""

    packages = ()

    def versions(self):
        return {}

    def prepare(self, case, data):
        call, result = super().prepare(case, data)

        def wrong():
            y = result()["y"]
            y.flat[-1] += abs(y).max() * 1e-3
            return {"y": y}

        return call, wrong


class Chatty(Wrong):
    """Prints what could be taken for an answer, and is right."""

    def prepare(self, case, data):
        print('{"error": "a stray print"}', flush=True)
        os.write(1, b'{"error": "one from C"}\n')
        return Right.prepare(self, case, data)


class Dies(Wrong):
    """Ends its process when it is to be timed."""

    def prepare(self, case, data):
        _, result = Right.prepare(self, case, data)
        calls = iter(range(5))

        def call():
            if next(calls) == 3:
                os.write(2, b"last words\n")
                os._exit(7)

        return call, result


class Hangs(Wrong):
    """Does not come back for the first case; is right for the others."""

    def prepare(self, case, data):
        if case.cell == "gru":
            time.sleep(60)
        return Right.prepare(self, case, data)
