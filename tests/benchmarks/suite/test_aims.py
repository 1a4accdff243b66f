# SPDX-License-Identifier: BSD-3-Clause
"""The best peer of a case."""

from fastrnn.benchmarks._suite import aims


def test_numpy_counts_as_a_peer_only_if_it_is_the_only_one():
    """It is the baseline."""
    row = {"peers": {"fastrnn": {}, "numpy": {"ratio": 2.0}, "jax": {"error": "no"}}}
    assert aims.best_peer(row) == ("numpy", 2.0)
    row["peers"] |= {"torch": {"ratio": 4.0}, "openvino": {"ratio": 3.0}}
    assert aims.best_peer(row) == ("openvino", 3.0)
    assert aims.best_peer({"peers": {"fastrnn": {}}}) is None


def test_whole_steps_have_aims():
    """Of PyTorch's time; reservoirs are to be no slower than reservoirpy's."""
    assert [aims.speed_aim({"group": f"steps-{model}"}) for model in ("language", "fit", "reservoir")] == [1.3, 1.3, 1]
