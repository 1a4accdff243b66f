# SPDX-License-Identifier: BSD-3-Clause
"""Peers that misbehave, for the tests of the benchmarks."""

import os
import time

from fastrnn.benchmarks._suite.peers.numpy import NumpyPeer


class Wrong(NumpyPeer):
    """Has an error of a thousandth of the largest magnitude in one element."""

    packages = ()

    def versions(self):
        return {}

    def prepare(self, case, data):
        call, outputs = super().prepare(case, data)

        def wrong():
            y = outputs()["y"]
            y.flat[-1] += abs(y).max() * 1e-3
            return {"y": y}

        return call, wrong


class Chatty(Wrong):
    """Prints what could be mistaken for an answer, and is right."""

    def prepare(self, case, data):
        print('{"error": "a stray print"}', flush=True)
        os.write(1, b'{"error": "one from C"}\n')
        return NumpyPeer.prepare(self, case, data)


class Dies(Wrong):
    """Ends its process when it is timed."""

    def prepare(self, case, data):
        _, outputs = NumpyPeer.prepare(self, case, data)
        calls = iter(range(5))

        def call():
            if next(calls) == 3:
                os.write(2, b"last words\n")
                os._exit(7)

        return call, outputs


class Hangs(Wrong):
    """Never returns from the first case, and is right in the others."""

    def prepare(self, case, data):
        if case.cell == "gru":
            time.sleep(60)
        return NumpyPeer.prepare(self, case, data)
