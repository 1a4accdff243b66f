# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/translate_dates.py, and a whole run."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import fastrnn as fr

EXAMPLE = Path(__file__).parents[2] / "examples" / "translate_dates.py"


def test_every_date_is_on_one_side_only(example):
    known, new = example.split(0)
    assert len(known) + len(new) == len({*known, *new}) == (example.LAST - example.FIRST).days + 1
    assert min(known + new) == example.FIRST and max(known + new) == example.LAST
    assert example.split(0) == (known, new) and example.split(1) != (known, new)


def test_forms_say_the_date(example):
    """As the comments beside them say, in characters that the model reads."""
    texts = [form(date(2019, 3, 3)) for form in example.FORMS]
    promised = re.findall(r"^    lambda d: .*  # (.*)$", EXAMPLE.read_text(), re.MULTILINE)
    assert texts == promised and len(set(texts)) == len(texts) > 10
    for day in (date(1970, 9, 28), date(2068, 12, 31)):
        for form in example.FORMS:
            assert set(form(day).lower()) <= set(example.READ)


def test_two_digits_of_a_year_are_enough(example):
    """No two dates look alike."""
    known, new = example.split(0)
    for form in example.FORMS:
        assert len({form(day) for day in known + new}) == len(known) + len(new)


@pytest.mark.parametrize(
    ("day", "written"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"),
                         (21, "21st"), (22, "22nd"), (23, "23rd"), (30, "30th"), (31, "31st")]
)  # fmt: skip
def test_days_are_counted_in_english(example, day, written):
    assert example.nth(day) == written


def test_texts_as_tokens(example):
    tokens, lengths = example.read(["3 Mar", "3/3"])
    assert lengths.tolist() == [5, 3] and tokens.shape == (5, 2)
    assert "".join(example.READ[k] for k in tokens[:, 0]) == "3 mar"
    target = example.spelled(["2019-03-03", "1970-01-01"])
    assert "".join(example.WRITTEN[k] for k in target[:, 1]) == "1970-01-01."


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.mark.slow
def test_it_learns_saves_and_draws(tmp_path):
    """In a few hundred steps it translates new dates; the file suffices to use the model."""
    saved, picture = tmp_path / "dates.safetensors", tmp_path / "attention.png"
    process = run("--steps", 500, "--save", saved, "--plot", picture, "the 14th of July 1989", "MON, 20 JUL 2026")
    assert process.returncode == 0, process.stderr
    assert re.search(r"^ +the 14th of July 1989 +1989-07-14\n +MON, 20 JUL 2026 +2026-07-20$", process.stdout, re.M)
    share = re.search(r"it translates ([\d.]+)% correctly to the last digit\.\n$", process.stdout)
    assert float(share[1]) >= 98
    assert picture.read_bytes().startswith(b"\x89PNG")

    model, notes = fr.load(saved), fr.load_notes(saved)
    source = np.array([[notes["read"].index(character) for character in "3/3/2019"]]).T
    result = fr.decoding.greedy(model, source, stop=notes["written"].index(notes["stop"]), max_length=12)
    assert "".join(notes["written"][k] for k in result.tokens[:, 0]) == "2019-03-03."


def test_without_training_it_says_that_it_has_not_learned():
    process = run("--steps", 1)
    assert process.returncode == 1
    assert "has not learned to translate dates" in process.stderr


def test_characters_that_it_does_not_know_are_named():
    process = run("3. März 2019")
    assert process.returncode == 2
    assert "expected letters, digits and" in process.stderr and "'3. März 2019'" in process.stderr
