# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/where_dates_come_from.py, and its whole run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastrnn as fr

EXAMPLE = Path(__file__).parents[2] / "examples" / "where_dates_come_from.py"


@pytest.mark.parametrize(
    ("text", "year", "month", "day"),
    [
        ("March 3rd, 2019", "2019", "March", "3"),
        ("the 14th of July 1989", "1989", "July", "14"),
        ("Monday, 20 July 2026", "2026", "July", "20"),
        ("Sat, 02 May 1970", "1970", "May", "02"),
        ("Dec 31 '68", "68", "Dec", "31"),
        ("03-Mar-19", "19", "Mar", "03"),
    ],
)
def test_fields_of_a_date(example, text, year, month, day):
    results = {name: text[part] for name, part in example.fields(text).items()}
    assert results == {"year": year, "month": month, "day": day}


def test_every_spelled_form_has_its_fields(example):
    for form in example.SPELLED:
        for date in example.translator.split(0)[1][:50]:
            text = form(date)
            fields = example.fields(text)
            assert int(text[fields["day"]]) == date.day
            assert int(text[fields["year"]]) % 100 == date.year % 100
            assert text[fields["month"]] in (f"{date:%B}", f"{date:%b}")
    assert len(example.SPELLED) == 9


def test_influence_is_the_gradient_of_each_choice(example):
    """Against central differences of log p along one direction of each character's vector."""
    model = example.translator.make_model(8, 0)
    text, written = "3 May 2019", "2019-05-03"
    results = example.influence(model, text, written)
    assert results.shape == (len(written), len(text))
    tokens, _ = example.translator.read([text])
    target = example.translator.spelled([written])[:-1]
    vectors = model.encoder.layers[0](tokens).astype(np.float64)
    V, own = len(example.translator.WRITTEN), {"dtype": np.float64}
    decoder = fr.AttentionDecoder(fr.GRU(16, 8, **own), fr.Attention(8, 8, **own), fr.Linear(16, 8, bias=False, **own))
    encoder, embedding, output = (
        fr.GRU(16, 4, bidirectional=True, **own),
        fr.Embedding(V, 16, **own),
        fr.Linear(8, V, **own),
    )
    double = fr.Seq2Seq(encoder, embedding, decoder, output, start=model.start)
    arrays = model.state_dict()
    double.load_state_dict({name: arrays[name.replace("encoder.", "encoder.1.", 1)] for name in double.params})

    def log_p(x):
        logits = double(x, target)[0][:, 0]
        return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))[np.arange(len(target)), target[:, 0]]

    squares = np.zeros(results.shape)
    for t, feature in np.ndindex(len(text), 16):
        up, down = vectors.copy(), vectors.copy()
        up[t, 0, feature] += 1e-5
        down[t, 0, feature] -= 1e-5
        squares[:, t] += np.square((log_p(up) - log_p(down)) / 2e-5)
    np.testing.assert_allclose(results, np.sqrt(squares), rtol=1e-4, atol=1e-6)


def test_shares_of_a_matrix_that_is_right_everywhere(example):
    text = "3 May 2019"
    matrix = np.full((10, len(text)), 1e-9)
    for name, part in example.fields(text).items():
        matrix[example.FIELDS[name], part] = 1
    results = example.shares(matrix, text)
    assert {name: round(share, 3) for name, (share, _) in results.items()} == dict.fromkeys(example.FIELDS, 1)
    assert [round(results[name][1], 3) for name in ("year", "month", "day")] == [0.4, 0.3, 0.1]


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110)


def test_an_untrained_translator_is_an_error():
    process = run("--steps", "1")
    assert process.returncode == 1
    assert "of 300 dates. Try more --steps." in process.stderr


@pytest.mark.slow
def test_the_whole_run(tmp_path):
    process = run("the 14th of July 1989", "--plot", tmp_path / "where.png")
    assert process.returncode == 0, process.stderr
    assert "The characters of its own field have" in process.stdout.splitlines()[-1]
    assert (tmp_path / "where.png").read_bytes().startswith(b"\x89PNG")
