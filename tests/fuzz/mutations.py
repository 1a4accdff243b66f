# SPDX-License-Identifier: BSD-3-Clause
"""Ways to damage the bytes of a file, and to replace parts of JSON."""

import copy
import json
import re
import struct

import numpy as np
from fuzz.arrays import choose

# -- bytes, as accidents change them ---------------------------------------------------------------------------------


def _flip(rng, content):
    changed = bytearray(content)
    for _ in range(choose(rng, 1, 1, 2, 8)):
        changed[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _truncate(rng, content):
    return content[: rng.integers(len(content))]


def _extend(rng, content):
    return content + rng.bytes(int(rng.integers(1, 100)))


def _overwrite(rng, content):
    a, n = int(rng.integers(len(content))), int(rng.integers(1, 64))
    return content[:a] + choose(rng, b"\0" * n, b"\xff" * n, rng.bytes(n)) + content[a + n :]


def _cut_out(rng, content):
    a, b = sorted(rng.integers(0, len(content) + 1, 2))
    return content[:a] + content[b:]


def _swap(rng, content):
    a, b, c = sorted(rng.integers(0, len(content) + 1, 3))
    return content[:a] + content[b:c] + content[a:b] + content[c:]


def _other_length(rng, content):
    length = choose(rng, 0, 1, 2, len(content), 2**31, 2**63, 2**64 - 1, int(rng.integers(len(content))))
    return struct.pack("<Q", length) + content[8:]


ACCIDENTS = (_flip, _truncate, _extend, _overwrite, _cut_out, _swap, _other_length)


def accident(rng, content):
    """Other bytes, and what was done."""
    how = choose(rng, *ACCIDENTS)
    changed = how(rng, content)
    return (changed, how.__name__) if changed != content else accident(rng, content)


# -- JSON, as somebody changes it on purpose -------------------------------------------------------------------------


DEEP = re.compile(r'\\?"deep:(\d+)\\?"')


def text_of(value):
    """`value` as JSON, where "deep:3" stands for [[[]]]: json.dumps would recurse too deeply."""
    return DEEP.sub(lambda found: "[" * int(found[1]) + "]" * int(found[1]), json.dumps(value))


VALUES = (
    None, True, False, 0, 1, -1, 2, 3, 2**31, 2**63, 10**18, 10**400, -(10**18), 0.5, -0.0, 1e308, float("nan"),
    float("inf"), "", "0", "float32", "LSTM", "Sequential", "x" * 10_000, "\0", [], {}, [1], [[]], {"a": 1},
    {"array": "tree"}, {"dict": {}}, [0] * 1000, {str(k): k for k in range(1000)}, {"type": "LSTM"},
    {"same_as": "layers.0"},
)  # fmt: skip


def places(part, place=()):
    """The keys that lead to every part of nested dicts and lists, from the outermost."""
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [place] + [inner for key, value in items for inner in places(value, (*place, key))]


def at(part, place):
    for key in place:
        part = part[key]
    return part


def replaced(rng, tree, arrays=()):
    """A copy in which one part is another, missing, or moved; and in words."""
    tree = copy.deepcopy(tree)
    where = places(tree)[1:]
    if not where:
        return tree, "nothing to replace"
    place = where[rng.integers(len(where))]
    parent, key = at(tree, place[:-1]), place[-1]
    how = rng.integers(8)
    if how == 0:
        del parent[key]
        return tree, f"{place} deleted"
    if how == 1:
        other = where[rng.integers(len(where))]
        parent[key] = copy.deepcopy(at(tree, other))
        return tree, f"{place} := {other}"
    if how == 2 and isinstance(parent, dict):
        parent[str(choose(rng, "", "type", "same_as", f"{key}x"))] = parent[key]
        return tree, f"{place} under another name, too"
    value = choose(rng, "deep:50", "deep:900", "deep:100000") if how == 3 else choose(rng, *arrays, *VALUES)
    old = parent[key]
    if isinstance(old, int | float) and not isinstance(old, bool) and how > 5:
        value = choose(rng, old + 1, -old, old * 10**9, old - 1)
    parent[key] = value
    return tree, f"{place} := {short(value)}"


def short(value):
    text = f"nested {type(value).__name__}" if isinstance(value, list | dict) else repr(value)
    return text if len(text) < 80 else f"{text[:80]}..."


ARRAYS = (
    np.zeros(0), np.ones(3), np.full((2, 2), np.nan, np.float32), np.arange(4), np.array(True), np.array(7),
    np.full(5, -1, np.int32),
)  # fmt: skip
