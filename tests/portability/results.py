# SPDX-License-Identifier: BSD-3-Clause
"""What the driver writes, and whether two of its runs agree.

Engines of one name that round alike give equal bits. Others, such as NEON, which fuses products and sums, and the
baseline of x86, which does not, agree within the tolerances of the tests.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from portability.shell import Failed
from support.tolerance import tolerance

BASELINE = "baseline"


class Result(NamedTuple):
    """An array that an engine computed."""

    engine: str
    fused: bool  # products and sums are fused
    values: np.ndarray
    terms: int  # of support/tolerance.py
    steps: int
    backward: bool


def read(index, values):
    """The results of one run: {(dtype, case, array): {engine: Result}}.

    Parameters
    ----------
    index, values : path
        What the driver printed, and the file that it wrote.
    """
    endian, *lines = Path(index).read_text().splitlines()
    if endian not in ("little endian", "big endian") or not lines:
        raise Failed(f"{index}: expected an index as driver.c writes it")
    data, at, results = np.fromfile(values, np.uint8), 0, {}
    for line in lines:
        engine, fused, dtype, case, array, terms, steps, backward, count, _ = line.split("\t")
        stored = np.dtype(dtype).newbyteorder("<" if endian == "little endian" else ">")
        end = at + int(count) * stored.itemsize
        if end > len(data):
            raise Failed(f"{values}: ends within {case}, {array}")
        block, at = data[at:end].view(stored).astype(dtype), end
        result = Result(engine, fused == "1", block, int(terms), int(steps), backward == "1")
        results.setdefault((dtype, case, array), {})[engine] = result
    if at != len(data):
        raise Failed(f"{values}: {len(data) - at} bytes too many")
    return results


def compare_bits(name, ours, expected):
    kind = np.uint32 if ours.values.dtype == np.float32 else np.uint64
    other = np.flatnonzero(ours.values.view(kind) != expected.values.view(kind))
    if len(other):
        a, b = ours.values[other[0]], expected.values[other[0]]
        raise Failed(f"{name}: {len(other)} of {len(ours.values)} values have other bits, the first {a!r}, not {b!r}")


def compare_values(name, ours, expected):
    """The largest error, relative to the largest magnitude."""
    a, b = ours.values.astype(np.float64), expected.values.astype(np.float64)
    scale, error = np.abs(b).max(), np.abs(a - b).max()
    dtype = ours.values.dtype
    limit = tolerance(dtype, backward=expected.backward, terms=expected.terms, steps=expected.steps)
    if not error <= limit * scale:
        raise Failed(f"{name}: error {error:.3g}, allowed {limit:.3g} * {scale:.3g}")
    return error / scale if scale else 0.0


class Agreement:
    """Counts what agrees."""

    def __init__(self):
        self.equal = 0  # values of which the bits were compared
        self.close = {}  # dtype: values that were compared within the tolerance
        self.largest = {}  # dtype: their largest relative error

    def add(self, key, ours, expected):
        """Compare an engine's array with the one of the other run; raises Failed."""
        dtype, name = key[0], " ".join((ours.engine, *key))
        if len(ours.values) != len(expected.values):
            raise Failed(f"{name}: {len(ours.values)} values, expected {len(expected.values)}")
        if not (np.isfinite(ours.values).all() and np.isfinite(expected.values).all()):
            raise Failed(f"{name}: a value is not finite")
        if (ours.engine, ours.fused) == (expected.engine, expected.fused):
            compare_bits(name, ours, expected)
            self.equal += len(ours.values)
        else:
            error = compare_values(name, ours, expected)
            self.close[dtype] = self.close.get(dtype, 0) + len(ours.values)
            self.largest[dtype] = max(self.largest.get(dtype, 0.0), error)

    @property
    def count(self):
        return f"{(self.equal + sum(self.close.values())) / 1e6:.1f} M values"

    def __str__(self):
        said = [f"{self.equal / 1e6:.1f} M with equal bits"] if self.equal else []
        said += [f"{name} within {self.largest[name]:.1e} of the largest" for name in sorted(self.largest)]
        return ", ".join(said)


def compare(ours, expected, engines):
    """Compare all results of a run with those of another: each engine with its namesake, or else with the baseline.

    Parameters
    ----------
    ours, expected : dict
        From `read`.
    engines : set of str
        Those that `ours` must have.
    """
    agreement = Agreement()
    if set(ours) != set(expected):
        raise Failed(f"{len(set(ours) ^ set(expected))} of {len(expected)} arrays are in one run only")
    for key, by_engine in ours.items():
        if set(by_engine) != engines:
            raise Failed(f"engines: expected {sorted(engines)}, got {sorted(by_engine)}")
        for engine, result in by_engine.items():
            agreement.add(key, result, expected[key].get(engine, expected[key][BASELINE]))
    return agreement


def compare_engines(results):
    """Compare the engines of one run with its baseline."""
    agreement = Agreement()
    for key, by_engine in results.items():
        for engine, result in by_engine.items():
            if engine != BASELINE:
                agreement.add(key, result, by_engine[BASELINE])
    return agreement
