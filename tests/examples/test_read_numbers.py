# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/read_numbers.py, and a whole run, on a small scale."""

import re
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the example reads images that scikit-learn carries")


def test_training_and_test_digits_are_different_images(example):
    (known, known_digits), (new, new_digits) = example.read()
    assert len(known) == len(known_digits) == 1198 and len(new) == len(new_digits) == 599
    seen = {image.tobytes() for image in known}
    assert not any(image.tobytes() in seen for image in new)
    assert known.dtype == np.float32 and known.min() == 0 and known.max() == 1


def test_a_line_has_the_images_side_by_side(example):
    """Each whole, upright, in order, with gaps of 0 to 4 columns around it, 0 to 2 pixels from the top."""
    images = np.arange(1, 129, dtype=np.float32).reshape(2, 8, 8)
    widths, tops = set(), set()
    for seed in range(200):
        line = example.write_line(images, np.random.default_rng(seed))
        inked = np.flatnonzero(line.any(axis=1))
        first, second = inked[:8], inked[8:]
        for image, columns in zip(images, (first, second), strict=True):
            assert columns.tolist() == list(range(columns[0], columns[0] + 8))
            top = int(line[columns[0]].argmax()) - 7
            np.testing.assert_array_equal(line[columns, top : top + 8], image.T)
            tops.add(top)
        assert (line > 0).sum() == images.size
        widths |= {int(first[0]), int(second[0] - first[-1] - 1), int(len(line) - 1 - second[-1])}
    assert widths == {0, 1, 2, 3, 4} and tops == {0, 1, 2}


def test_numbers_are_those_of_the_images(example):
    images = np.zeros((10, 8, 8), np.float32)
    images[:] = np.arange(1, 11)[:, None, None]  # a digit is as dark as it is large
    lines, numbers = example.write_numbers(images, np.arange(10), 300, np.random.default_rng(0), most=3, least=2)
    assert {len(number) for number in numbers} == {2, 3}
    for line, number in zip(lines, numbers, strict=True):
        inked = line.max(axis=1)
        assert (inked[inked > 0][::8] - 1).tolist() == number.tolist()


@pytest.mark.parametrize(
    "columns, number", [("", []), ("---", []), ("-44--0-7711-", [4, 0, 7, 1]), ("5-5", [5, 5]), ("55", [5])]
)
def test_what_the_columns_spell(example, columns, number):
    assert example.spell(np.array([example.BLANK if c == "-" else int(c) for c in columns], int)) == number


@pytest.mark.parametrize("guess, number, count", [("", "", 0), ("", "12", 2), ("12", "12", 0), ("2", "12", 1),
                                                  ("132", "12", 1), ("13", "12", 1), ("2143", "1234", 3)])  # fmt: skip
def test_mistakes_are_the_fewest_changes(example, guess, number, count):
    assert example.mistakes(guess, number) == example.mistakes(number, guess) == count


def test_the_share_and_the_rate(example, monkeypatch):
    blank = example.BLANK
    monkeypatch.setattr(example, "classify", lambda *_: [[1, 1, blank], [2, blank, 2]])
    assert example.judge(None, [None, None], [[1], [2, 3, 2]]) == (0.5, 0.25)


def test_a_line_is_read_the_same_alone_and_in_a_batch(example):
    (known, digits), _ = example.read()
    lines, _ = example.write_numbers(known, digits, 120, np.random.default_rng(0))
    model = example.make_model(8, seed=0)
    for line, classes in list(zip(lines, example.classify(model, lines), strict=True))[::10]:
        np.testing.assert_array_equal(example.classify(model, [line])[0], classes)
        assert len(classes) == len(line)


def test_training_is_the_same_on_every_run_and_learns(example):
    known, _ = example.read()
    results = []
    for _ in range(2):
        model = example.make_model(units=12, seed=0)
        lines, numbers = example.write_numbers(*known, 320, np.random.default_rng(0), most=2)
        history = example.train(model, lines, numbers, epochs=3, seed=1, progress=False)
        results.append((history["loss"], model.state_dict()))
    (losses, state), (again, state_again) = results
    assert losses == again and losses[-1] < 0.7 * losses[0]
    assert all((state[name] == state_again[name]).all() for name in state)


def test_a_line_is_shown_with_the_output_below(example, capsys):
    line = np.zeros((3, 2), np.float32)
    line[1, 0], line[2, 1] = 1, 0.5
    example.show(line, np.array([1]), [example.BLANK, 7, example.BLANK])
    assert capsys.readouterr().out == "     #\n      :\n    -7-\n    read as 7, written as 1\n\n"


@pytest.mark.slow
def test_whole_run(run, tmp_path):
    pytest.importorskip("matplotlib")
    output = run("--plot", tmp_path / "numbers.png")
    match = re.fullmatch(
        r"It reads (.*)% of 1,000 new numbers .* \((.*) mistakes per digit\), .*", output.splitlines()[-1]
    )
    assert float(match[1]) > 75 and float(match[2]) < 0.08
    assert (tmp_path / "numbers.png").read_bytes().startswith(b"\x89PNG")


def test_short_run(example, run, monkeypatch, tmp_path):
    """Everything except the learning."""
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(example, "ENOUGH", 0)
    monkeypatch.setattr(example, "TESTED", 40)
    output = run("--lines", 64, "--epochs", 1, "--units", 4, "--plot", tmp_path / "numbers.png")
    assert re.search(r"\n1 to 6 new digits +[\d.]+% +\d\.\d{3}\n12 new digits +[\d.]+% +\d\.\d{3}\n", output)
    assert re.search(r"\n    [-\d]{48,}\n", output)  # 6 digits and more of 8 columns
    assert (tmp_path / "numbers.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_learned_is_an_error(example, run, monkeypatch):
    monkeypatch.setattr(example, "TESTED", 40)
    with pytest.raises(SystemExit, match="has not learned"):
        run("--lines", 64, "--epochs", 1, "--units", 4)


def test_without_scikit_learn(load_example, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(SystemExit, match=r'pip install "fastrnn\[examples\]"'):
        load_example()
