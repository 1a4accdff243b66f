# SPDX-License-Identifier: BSD-3-Clause
"""What Attention refuses."""

import numpy as np
import pytest
from support.layers import refused

import fastrnn as fr

BAD_ARGUMENTS = {
    "score": (
        {"score": "cosine"},
        ValueError,
        ["score: expected one of additive, dot, general, concat, scaled_dot", "'cosine'"],
    ),
    "sizes of dot": ({"score": "dot"}, ValueError, ["memory_size: expected 3, the query_size, got 4"]),
    "sizes of scaled dot": ({"score": "scaled_dot"}, ValueError, ["memory_size: expected 3, the query_size, got 4"]),
    "size of dot": ({"score": "general", "attention_size": 5}, ValueError, ["attention_size: expected None", "got 5"]),
    "size": ({"attention_size": 0}, ValueError, ["attention_size: expected at least 1, got 0"]),
    "size type": ({"attention_size": 2.5}, TypeError, ["attention_size: expected an integer, got 2.5"]),
    "query": ({"query_size": "3"}, TypeError, ["query_size: expected an integer, got '3'"]),
    "layout": ({"batch_first": 1}, TypeError, ["batch_first: expected True or False, got 1"]),
    "dtype": ({"dtype": int}, TypeError, ["dtype: expected np.float32 or np.float64"]),
}


@pytest.mark.parametrize(("options", "error", "words"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_are_refused(options, error, words):
    with refused(error, *words):
        fr.Attention(**{"query_size": 3, "memory_size": 4} | options)


def ones(*shape):
    return np.ones(shape, np.float32)


QUERY, MEMORY = ones(2, 3, 4), ones(5, 3, 6)


BAD_INPUT = {
    "query double": (np.ones((2, 3, 4)), MEMORY, None, TypeError, ["query: expected float32", "float64"]),
    "query width": (ones(2, 3, 5), MEMORY, None, ValueError, ["query: expected (T, N, 4) or (T, 4)"]),
    "memory width": (QUERY, ones(5, 3, 4), None, ValueError, ["memory: expected (T, 3, 6)", "got (5, 3, 4)"]),
    "memory rows": (QUERY, ones(5, 2, 6), None, ValueError, ["memory: expected (T, 3, 6)", "3 rows", "(5, 2, 6)"]),
    "memory unbatched": (QUERY, ones(5, 6), None, ValueError, ["memory: expected (T, 3, 6)", "got (5, 6)"]),
    "query unbatched": (ones(2, 4), ones(5, 1, 6), None, ValueError, ["memory: expected (T, 6)", "got (5, 1, 6)"]),
    "memory None": (QUERY, None, None, TypeError, ["memory: expected float32", "got None"]),
    "memory scalar": (QUERY, ones(), None, ValueError, ["memory: expected (T, 3, 6)", "got ()"]),
    "lengths": (QUERY, MEMORY, [1, 6, 1], ValueError, ["0..5 (the steps of memory), got 6 for row 1"]),
    "lengths count": (QUERY, MEMORY, [1], ValueError, ["lengths: expected (3,), one for each row", "got (1,)"]),
    "lengths floats": (QUERY, MEMORY, [1.0, 1.0, 1.0], TypeError, ["lengths: expected integers"]),
}  # fmt: skip


@pytest.mark.parametrize(("query", "memory", "lengths", "error", "words"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_refused(query, memory, lengths, error, words):
    layer = fr.Attention(4, 6)
    for method in (layer, layer.forward):
        with refused(error, *words):
            method(query, memory, lengths)


def test_the_layout_of_the_memory_is_that_of_the_query():
    with refused(ValueError, "memory: expected (2, T, 6), as query has 2 rows, got (5, 2, 6)"):
        fr.Attention(4, 6, batch_first=True)(QUERY, ones(5, 2, 6))


def test_after_a_refused_gradient_the_tape_still_works():
    layer = fr.Attention(4, 6, seed=0)
    context, weights, tape = layer.forward(QUERY, ones(5, 3, 6))
    with refused(ValueError, "dcontext: expected (2, 3, 6)", "got (2, 3, 5)"):
        layer.backward(tape, weights)
    with refused(ValueError, "dweights: expected (2, 3, 5)", "got (2, 3, 6)"):
        layer.backward(tape, context, context)
    with refused(TypeError, "dcontext: expected float32", "got float64"):
        layer.backward(tape, context.astype(np.float64))
    assert not any(grad.any() for grad in layer.grads.values())
    layer.backward(tape, context, weights)
