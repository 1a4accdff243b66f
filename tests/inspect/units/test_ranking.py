# SPDX-License-Identifier: BSD-3-Clause
"""A unit that follows a property is ranked first, by its unit score."""

import numpy as np
import pytest
from support.layers import mixed_model, refused

import fastrnn as fr
from fastrnn.inspect import Trace, auc, correlation, inside_quotes, rank_units, rising, survey_units, trace
from fastrnn.inspect._units import ranking


def test_the_unit_that_stores_a_property_is_ranked_first(rng):
    """Unit 3 of five is set by hand: it adds up the signs of x and forgets a tenth of the sum at each step."""
    x = rng.choice([0, 0, 0, 1, -1], (400, 1)).astype(np.float32)
    layer = fr.LSTM(1, 5, seed=0)
    for array in layer.params.values():
        array[3::5] = 0  # i, f, g, o of unit 3
    layer.params["weight_ih_l0"][13] = 20  # g is the sign
    layer.params["bias_ih_l0"][[3, 8, 18]] = 20, np.log(9), 20  # i and o are open, f is 0.9
    memory = np.zeros(400)
    for t in range(400):
        memory[t] = 0.9 * memory[t - 1] + np.sign(x[t, 0])
    result = trace(layer, x)
    np.testing.assert_allclose(result["c"][0, 0, :, 0, 3], memory, atol=1e-5)
    best, second, *_ = rank_units(result, memory)
    assert best[:4] == ("c", 0, 0, 3) and best.score == pytest.approx(1, abs=1e-6)
    assert second.strength < 0.98
    best = rank_units(result, memory > 0.4, top=2)
    assert {match[:4] for match in best} == {("c", 0, 0, 3), ("h", 0, 0, 3)}
    assert [(match.score, match.strength) for match in best] == [(1, 1), (1, 1)]


def test_every_unit_of_every_array_is_ranked_without_padding(rng):
    """The scores are those of auc and correlation on the steps within the lengths, the strongest first."""
    x, lengths = rng.standard_normal((9, 4, 3)).astype(np.float32), np.array([9, 0, 5, 7])
    result = trace(mixed_model(), x, lengths)
    mask = np.arange(9)[:, None] < lengths
    for target, score in ((rng.random((9, 4)) < 0.5, auc), (rng.standard_normal((9, 4)), correlation)):
        matches = rank_units(result, target)
        assert len(matches) == sum(array.size // 36 for array in result.values())
        strengths = [match.strength for match in matches]
        assert strengths == sorted(strengths, reverse=True)
        for match in matches:
            values = result[match.name][match.layer, match.direction, :, :, match.unit][mask]
            assert match.score == pytest.approx(score(values[:, None], target[mask])[0], rel=1e-9, abs=1e-12)


def test_blocks_of_units_do_not_change_the_ranking(rng, monkeypatch):
    """They bound the memory."""
    result = trace(mixed_model(), rng.standard_normal((9, 4, 3)).astype(np.float32))
    target = rng.random((9, 4)) < 0.5
    whole = rank_units(result, target)
    monkeypatch.setattr(ranking, "BLOCK", 40)
    assert rank_units(result, target) == whole


def test_a_step_whose_target_is_nan_is_left_out(rng):
    x = rng.standard_normal((9, 3)).astype(np.float32)
    result, target = trace(fr.GRU(3, 4, seed=0), x), rng.standard_normal(9)
    target[[2, 5]] = np.nan
    (best, *_) = rank_units(result, target)
    values = result[best.name][0, 0, :, 0]
    known = ~np.isnan(target)
    assert best.score == pytest.approx(correlation(values[known], target[known])[best.unit])


def test_units_that_are_not_numbers_come_last(rng):
    values = rng.standard_normal((1, 1, 9, 1, 3))
    values[..., 4:, :, 1] = np.nan
    result = Trace({"h": values}, {"h": ("layer", "direction", "t", "n", "unit")}, {"": np.array([9])}, None)
    for target in rising(values[0, 0, :, 0, 0]), np.arange(9):
        matches = rank_units(result, target)
        assert [match.unit == 1 for match in matches] == [False, False, True]


def test_survey(rng):
    """The best units of each property; one that is the same in the whole text is left out."""
    text = 'A "B c" 1!\nD e. ' * 5
    x = rng.standard_normal((len(text), 2)).astype(np.float32)
    x[:, 0] = inside_quotes(text)
    result = trace(fr.RNN(2, 4, seed=0), x)
    matches = survey_units(result, text, top=2)
    assert "inside_brackets" not in matches and "bracket_depth" not in matches
    assert all(len(best) == 2 for best in matches.values())
    assert matches["inside_quotes"] == rank_units(result, inside_quotes(text), top=2)
    assert matches["inside_quotes"][0].strength == max(best[0].strength for best in matches.values())


def test_bad_arguments(rng):
    result = trace(fr.GRU(3, 4, seed=0), np.zeros((5, 2, 3), np.float32))
    with refused(TypeError, "trace: expected what trace returned, got dict"):
        rank_units({}, [True])
    with refused(ValueError, "target: expected shape (5, 2), the steps and rows of 'h', got (5,)"):
        rank_units(result, np.zeros(5, bool))
    with refused(ValueError, "target: expected both True and False, got 0 and 10 of them"):
        rank_units(result, np.zeros((5, 2), bool))
    with refused(ValueError, "target: expected several values, got the same everywhere"):
        rank_units(result, np.zeros((5, 2)))
    with refused(TypeError, "target: expected numbers, or True and False, got <U1"):
        rank_units(result, np.full((5, 2), "a"))
    with refused(ValueError, "top: expected at least 1, got 0"):
        rank_units(result, np.eye(5)[:, :2], top=0)
    with refused(TypeError, "text: expected a string, got list"):
        survey_units(result, ["a"])
