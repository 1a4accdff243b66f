# SPDX-License-Identifier: BSD-3-Clause
"""A few lines about the results of a CPU."""

import pytest

from fastrnn.benchmarks._suite.digest import ahead, digest


def make_row(group, training, torch, jax=None, cell="lstm", name="x"):
    peers = {"fastrnn": {}, "torch": {"ratio": torch}} | ({"jax": {"ratio": jax}} if jax else {})
    return {"group": group, "training": training, "cell": cell, "name": name, "peers": peers}


MACHINE = {
    "cpu": "AMD EPYC",
    "kind": "zen5",
    "threads": [1, 2],
    "versions": {"torch": {"torch": "2.13.0+cpu"}, "jax": {"jax": "0.10.2", "jaxlib": "0.10.2"}},
}


def test_classes_are_geometric_means():
    """Of the ratios to the best peer, and to PyTorch in parentheses; ragged batches and whole steps are a span."""
    rows = [make_row("tiny", False, 8.0, 2.0), make_row("tiny", False, 2.0), make_row("large", True, 1.0, cell="gru")]
    rows += [make_row("ragged", mode, ratio) for mode, ratio in ((False, 1.5), (False, 2.5), (True, 3.0))]
    document = {"machine": MACHINE, "results": rows, "steps": [make_row("steps-fit", None, 1.26)]}
    lines = digest(document)
    assert lines[0] == "AMD EPYC (Zen 5), 1 and 2 cores; PyTorch 2.13, JAX 0.10:"
    assert "| tiny: N ≤ 4, H ≤ 64 | 2.00 (4.0) | – | – | – |" in lines
    assert "| large: H 512 to 1024 | – | – | – | 1.00 (1.0) |" in lines
    text = " ".join(lines)
    assert "PyTorch takes 1.5 to 2.5 times as long in inference, 3.0 to 3.0 times in training." in text
    assert "take it 1.3 to 1.3 times as long" in text and "in 0 of 7 cases." in text


@pytest.mark.parametrize("ratio, counts", [(0.9, True), (0.98, False), (1.1, False)])
def test_a_peer_is_ahead_by_more_than_three_per_cent_or_not(ratio, counts):
    """In a layer or in a whole step."""
    row = make_row("tiny", False, 2.0, ratio)
    for document in {"results": [row]}, {"results": [], "steps": [row]}:
        assert ahead(document) == ([(ratio, "x", "jax")] if counts else [])
