# SPDX-License-Identifier: BSD-3-Clause
"""The page: what is in it is what `trace` gives, and a browser shows it. The command that writes it."""

import base64
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from support.layers import refused

import fastrnn as fr
from fastrnn.inspect import inside_quotes, rank_units, read_array, read_text, report, trace
from fastrnn.inspect.__main__ import main
from fastrnn.inspect._report.predictions import log_softmax, recent_influence
from fastrnn.inspect._report.report import quantized
from fastrnn.io import _models as files

TEXT = 'A "b c" d.\n\t<a> </script> "e" ' * 3
VOCABULARY = sorted(set(TEXT))


def language_model(L=2, H=20):
    V = len(VOCABULARY)
    return fr.Sequential(fr.Embedding(V, 4, seed=0), fr.LSTM(4, H, L, seed=1), fr.Linear(H, V, seed=2))


def tagger():
    return fr.Sequential(fr.GRU(2, 5, bidirectional=True, seed=0), fr.Linear(10, 3, seed=1))


def meta_of(page):
    return json.loads(re.search(r'<script id="meta" type="application/json">(.*?)</script>', page, re.DOTALL)[1])


def block_of(page, name, dtype):
    text = re.search(rf'<script id="{name}" type="text/plain">(.*?)</script>', page)[1]
    return np.frombuffer(base64.b64decode(text), dtype)


def test_states_and_gates_are_those_of_the_trace():
    """Each within half a step of its unit's scale."""
    model = language_model()
    reading = read_text(model, TEXT, VOCABULARY)
    page, found = report(model, reading), trace(model, reading.x)
    meta, T = meta_of(page), len(TEXT)
    assert meta["labels"] == list(TEXT) and meta["unknown"] == [] and not meta["spaced"]
    assert [strand["name"] for strand in meta["strands"]] == ["1: layer 0", "1: layer 1"]
    for k, strand in enumerate(meta["strands"]):
        assert strand["units"] == 20 and [array["name"] for array in strand["arrays"]] == list("hcifgo")
        for array in strand["arrays"]:
            assert array["gate"] == (array["name"] in "ifo")
            values = found[f"1.{array['name']}"][k, 0, :, 0]
            scale = block_of(page, array["id"] + "-scale", "<f4")
            shown = block_of(page, array["id"], "i1").reshape(T, 20) * scale
            np.testing.assert_allclose(scale, np.abs(values).max(axis=0) / 127, rtol=1e-6)
            assert (np.abs(shown - values) <= 0.5001 * scale).all()


def test_the_next_token():
    """The ten most probable, the probability of what comes, and the mean of its negative logarithm."""
    model = language_model()
    reading = read_text(model, TEXT, VOCABULARY)
    page, logits = report(model, reading), model(reading.x)[0]
    outlook, p = meta_of(page)["outlook"], np.exp(log_softmax(logits))
    assert outlook["softmax"] and outlook["names"] == VOCABULARY and outlook["top"] == 10
    assert outlook["next"] == [*reading.tokens[1:].tolist(), None]
    top = block_of(page, "top", "<u4").reshape(len(TEXT), 10)
    np.testing.assert_array_equal(top, np.argsort(-p, axis=1, kind="stable")[:, :10])
    values = block_of(page, "top-value", "<f4").reshape(len(TEXT), 10)
    np.testing.assert_allclose(values, np.take_along_axis(p, top.astype(int), 1), rtol=1e-6)
    comes = p[np.arange(len(TEXT) - 1), reading.tokens[1:]]
    np.testing.assert_allclose(block_of(page, "next-p", "<f4")[:-1], comes, rtol=1e-6)
    assert f"{-np.log(comes).mean():.3f} nats for each next token" in page


def test_influence():
    model = language_model()
    reading = read_text(model, TEXT, VOCABULARY)
    page, found = report(model, reading, window=5), trace(model, reading.x)
    chosen = np.append(reading.tokens[1:], model(reading.x)[0][-1].argmax())
    expected = recent_influence(model, reading.x, found, chosen, 5, softmax=True)
    shown = block_of(page, "influence", "u1").reshape(len(TEXT), 5)
    assert meta_of(page)["window"] == 5
    assert np.abs(shown / 255 - expected / expected.max(axis=1, keepdims=True)).max() <= 0.5001 / 255


def test_known_units_are_the_best_of_each_property():
    model = language_model()
    reading = read_text(model, TEXT, VOCABULARY)
    (known,) = (one for one in meta_of(report(model, reading))["known"] if one["text"].startswith("inside quotes"))
    best = rank_units(trace(model, reading.x), inside_quotes(TEXT))[0]
    assert known["unit"] == best.unit and known["strand"] == best.layer
    assert known["text"].endswith(f"unit {best.unit}, {best.name[2:]}, 1: layer {best.layer}, AUC {best.score:.2f}")


def test_signals_and_both_directions():
    """A tagger: what it says are outputs, not tokens; it knows the future, so there is no influence of the latest."""
    x = np.random.default_rng(0).standard_normal((30, 2)).astype(np.float32)
    model = tagger()
    meta = meta_of(report(model, read_array(model, x)))
    assert [strand["name"] for strand in meta["strands"]] == ["0: layer 0, forwards", "0: layer 0, backwards"]
    assert meta["window"] == 0 and meta["known"] == []
    assert meta["outlook"]["names"] == ["output 0", "output 1", "output 2"] and meta["outlook"]["next"] is None


def test_a_causal_model_of_signals_has_influence():
    x = np.random.default_rng(0).standard_normal((30, 2)).astype(np.float32)
    model = fr.Sequential(fr.GRU(2, 5, seed=0), fr.Linear(5, 3, seed=1))
    page = report(model, read_array(model, x))
    assert meta_of(page)["window"] == 30 and "the largest output" in page
    assert "nats" not in page


def test_behind_pooling_nothing_is_said_at_each_step():
    model = fr.Sequential(fr.RNN(2, 5, seed=0), fr.LastStep(), fr.RepeatVector(2), fr.GRU(5, 3, seed=1))
    meta = meta_of(report(model, read_array(model, np.ones((4, 2)))))
    assert [strand["name"] for strand in meta["strands"]] == ["0: layer 0"] and meta["outlook"] is None


def test_a_page_needs_nothing_else():
    """No address of another file, and a policy that would stop one."""
    page = report(language_model(), read_text(language_model(), TEXT, VOCABULARY), title="<b>&")
    assert "<title>&lt;b&gt;&amp;</title>" in page
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import|https?:""", page)
    assert "default-src 'none'" in page
    assert page.count("</script>") == page.count("<script")  # that of the text is not one


def test_quantized():
    """127 steps to each side; NaN and infinity have a byte of their own; a unit that is 0 stays so."""
    values = np.array([[1.0, 0, np.nan], [-2.0, 0, 3], [0.5, 0, -np.inf]], np.float32)
    q, scale = quantized(values)
    assert q.dtype == np.int8 and q.tolist() == [[64, 0, -128], [-127, 0, 127], [32, 0, -128]]
    np.testing.assert_allclose(scale, [2 / 127, 0, 3 / 127], rtol=1e-6)


def test_bad_arguments():
    model = language_model()
    reading = read_text(model, TEXT, VOCABULARY)
    with refused(TypeError, "reading: expected what read_text or read_array returned, got str"):
        report(model, TEXT)
    with refused(ValueError, "window: expected at least 1, got 0"):
        report(model, reading, window=0)
    encoder, decoder = fr.Sequential(*model.layers[:2]), fr.LSTM(4, 20, 2)
    with refused(ValueError, "model: expected one that reads a single sequence, got Seq2Seq"):
        report(fr.Seq2Seq(encoder, fr.Embedding(5, 4), decoder, fr.Linear(20, 5)), reading)
    with refused(ValueError, "model: expected a recurrent layer in it, got Sequential"):
        report(fr.Sequential(model.layers[0], fr.Linear(4, 5)), reading)


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """A model with its vocabulary, and a text."""
    fr.save(language_model(), tmp_path / "model.safetensors", notes={"vocabulary": VOCABULARY})
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_the_command_writes_a_page(saved, capsys):
    main([str(saved / "model.safetensors"), "--text", str(saved / "text.txt"), "--steps", "20", "--window", "7"])
    page = (saved / "model.html").read_text(encoding="utf-8")
    assert meta_of(page)["labels"] == list(TEXT[:20]) and meta_of(page)["window"] == 7
    assert "<title>model.safetensors reads text.txt</title>" in page
    assert "model.html: 0." in capsys.readouterr().out


def test_the_command_from_a_shell(saved):
    command = [sys.executable, "-m", "fastrnn.inspect", "model.safetensors", "--text", "text.txt", "--out", "a.html"]
    subprocess.run(command, cwd=saved, check=True, timeout=60)
    assert meta_of((saved / "a.html").read_text(encoding="utf-8"))["labels"] == list(TEXT)


def test_the_command_reads_arrays_and_vocabularies(saved):
    fr.save(tagger(), saved / "tagger.safetensors")
    np.save(saved / "x.npy", np.random.default_rng(0).standard_normal((9, 2)))
    main([str(saved / "tagger.safetensors"), "--array", str(saved / "x.npy")])
    assert len(meta_of((saved / "tagger.html").read_text(encoding="utf-8"))["labels"]) == 9
    fr.save(language_model(), saved / "plain.safetensors")
    (saved / "vocabulary.json").write_text(json.dumps(VOCABULARY))
    arguments = [str(saved / "plain.safetensors"), "--text", str(saved / "text.txt")]
    main([*arguments, "--vocab", str(saved / "vocabulary.json")])
    with pytest.raises(SystemExit, match=r"plain.safetensors: expected a vocabulary in its notes, .* or --vocab"):
        main(arguments)


def test_the_page_appears_whole_or_not_at_all(saved, monkeypatch):
    """What was there before is there still if the disk is full; and nothing is left beside it."""
    command = [str(saved / "model.safetensors"), "--text", str(saved / "text.txt")]
    main(command)
    before, names = (saved / "model.html").read_bytes(), sorted(saved.iterdir())

    def fsync(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(SystemExit, match="No space left"):
        main([*command, "--steps", "3"])
    assert (saved / "model.html").read_bytes() == before and sorted(saved.iterdir()) == names


@pytest.mark.parametrize("knows", [True, False])
def test_the_ends_of_lines_are_read_as_the_model_knows_them(knows, saved):
    """CR LF are two characters for a model that has both, and the end of a line for one that has not."""
    vocabulary = ["a", "b", "\n"] + ["\r"] * knows
    model = fr.Sequential(fr.Embedding(len(vocabulary), 4, seed=0), fr.GRU(4, 8, seed=1))
    fr.save(model, saved / "lines.safetensors", notes={"vocabulary": vocabulary})
    (saved / "lines.txt").write_bytes(b"a\r\nb\r\n")
    main([str(saved / "lines.safetensors"), "--text", str(saved / "lines.txt")])
    page = (saved / "lines.html").read_text(encoding="utf-8")
    assert meta_of(page)["labels"] == (["a", "\r", "\n", "b", "\r", "\n"] if knows else ["a", "\n", "b", "\n"])
    assert 'replaceAll("\\r", "\\u240d")' in page  # it has a sign of its own


def test_files_of_other_kinds_are_named(saved):
    fr.save(tagger(), saved / "tagger.safetensors")
    np.savez(saved / "x.npz", x=np.zeros((9, 2)))
    np.save(saved / "0.npy", 3.0)
    for name in "x.npz", "0.npy":
        with pytest.raises(SystemExit, match=f"{name}: expected one array of several steps"):
            main([str(saved / "tagger.safetensors"), "--array", str(saved / name)])
    np.save(saved / "x.npy", np.zeros((9, 2)))
    whole = (saved / "x.npy").read_bytes()
    for name, content in ("0.npy", b""), ("1.npy", whole[:-1]), ("2.npy", b"9 numbers"), ("3.npz", b"PK\3\4 and more"):
        (saved / name).write_bytes(content)
        with pytest.raises(SystemExit, match=f"{name}: truncated or not an array of numbers") as caught:
            main([str(saved / "tagger.safetensors"), "--array", str(saved / name)])
        assert "pickle" not in str(caught.value)
    (saved / "latin").write_bytes("\u00e9t\u00e9".encode("latin-1"))
    with pytest.raises(SystemExit, match="latin: not UTF-8"):
        main([str(saved / "model.safetensors"), "--text", str(saved / "latin")])


def test_a_model_that_has_diverged():
    """Its page can be looked at, and nothing is cast that no byte can hold."""
    model = language_model()
    model.params[next(name for name in model.params if "weight_hh" in name)][...] = np.nan
    page = report(model, read_text(model, TEXT, VOCABULARY))
    assert meta_of(page)["labels"] == list(TEXT)


def test_numbers_too_large_for_the_model():
    with pytest.raises(ValueError, match="array: expected finite numbers"):
        read_array(tagger(), np.full((3, 2), 1e300))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"text": ""}, "text: expected at least one token, got none"),
        ({"text": "A\u20ac"}, r"text: expected the \d+ tokens of the vocabulary only, got '\u20ac' at 1"),
        ({"steps": "0"}, "--steps: expected at least 1, got 0"),
        ({"window": "0"}, "window: expected at least 1, got 0"),
        ({"vocab": "text.txt"}, "text.txt: not JSON"),
        ({"model": "text.txt"}, "text.txt: truncated or not a safetensors file"),
        ({"model": "none"}, "No such file"),
    ],
)
def test_what_the_command_cannot_do_it_says(change, message, saved, monkeypatch):
    """In one line, and nothing is written."""
    monkeypatch.chdir(saved)
    if "text" in change:
        (saved / "text.txt").write_text(change["text"], encoding="utf-8")
    options = [part for name in ("steps", "window", "vocab") if name in change for part in (f"--{name}", change[name])]
    with pytest.raises(SystemExit, match=message) as caught:
        main([change.get("model", "model.safetensors"), "--text", "text.txt", *options])
    assert "\n" not in str(caught.value)
    assert not [*saved.glob("*.html")]


# -- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window, or a skip that says why not."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: the page was not opened")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed: the page was not opened")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage":
        options.add_argument(argument)
    options.add_argument("--window-size=1400,1000")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def open_page(browser, tmp_path, model, reading):
    path = tmp_path / "page.html"
    path.write_text(report(model, reading), encoding="utf-8")
    browser.get(path.as_uri())
    assert browser.get_log("browser") == []  # no error, nothing blocked


def hover(browser, t):
    from selenium.webdriver import ActionChains

    ActionChains(browser).move_to_element(browser.find_element("id", f"t{t}")).perform()


def texts(browser, selector):
    return [element.text for element in browser.find_elements("css selector", selector)]


def number(text):
    return float(text.replace("\u2212", "-").removesuffix(" %"))


def shown_values(browser):
    names, numbers = texts(browser, "#values td.name"), texts(browser, "#values td.number")
    return dict(zip(names, map(number, numbers), strict=True))


@pytest.mark.slow
def test_a_person_moves_over_the_text_and_picks_a_unit(browser, tmp_path):
    """What is shown is what `trace` gives: values, colours, influence, and what comes next."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    model = language_model()
    reading = read_text(model, TEXT, VOCABULARY)
    found, p = trace(model, reading.x), np.exp(log_softmax(model(reading.x)[0]))
    open_page(browser, tmp_path, model, reading)
    characters = browser.execute_script("return [...document.querySelectorAll('#text i')].map(i => i.textContent)")
    assert "".join(characters) == TEXT.replace("\n", "\u21b5\n").replace("\t", "\u21e5\t")

    def check(layer, unit, t):
        values = shown_values(browser)
        assert list(values) == list("hcifgo")
        for name, value in values.items():
            array = found[f"1.{name}"][layer, 0, :, 0, unit]
            assert abs(value - array[t]) <= np.abs(array).max() / 254 + 0.00051

    hover(browser, 12)
    check(0, 0, 12)
    hover(browser, 30)
    check(0, 0, 30)
    assert texts(browser, "#here")[0].startswith("step 30:")
    rows = texts(browser, "#next td.number")
    np.testing.assert_allclose([number(row) for row in rows[:10]], 100 * np.sort(p[30])[::-1][:10], atol=0.0501)
    actual = browser.find_element(By.CSS_SELECTOR, "#next tr.actual td.number").text
    assert abs(number(actual) - 100 * p[30, reading.tokens[31]]) <= 0.0501

    shadow = "return getComputedStyle(document.getElementById('t' + arguments[0])).boxShadow"
    chosen = np.append(reading.tokens[1:], 0)
    influence = recent_influence(model, reading.x, found, chosen, 40, softmax=True)[30]
    for k in (0, 5, 12):
        alpha = re.search(r"rgba\(230, 159, 0, ([\d.]+)\)", browser.execute_script(shadow, 30 - k))
        alpha = float(alpha[1]) if alpha else 1.0  # written as rgb(...)
        assert abs(alpha - influence[k] / influence.max()) <= 0.01
    assert browser.execute_script(shadow, 31) == "none"

    unit = browser.find_element(By.ID, "unit")
    browser.execute_script("arguments[0].value = 13; arguments[0].dispatchEvent(new Event('input'))", unit)
    check(0, 13, 30)
    Select(browser.find_element(By.ID, "strand")).select_by_visible_text("1: layer 1")
    check(1, 13, 30)
    Select(browser.find_element(By.ID, "array")).select_by_visible_text("f")
    colours = browser.execute_script(
        "return [...document.querySelectorAll('#text i')].map(i => getComputedStyle(i).backgroundColor)"
    )
    gate = found["1.f"][1, 0, :, 0, 13]
    red = np.array([int(re.match(r"rgb\((\d+),", colour)[1]) for colour in colours])
    np.testing.assert_allclose(red, 255 - 254 * gate, atol=254 * gate.max() / 254 + 0.51)


@pytest.mark.slow
def test_a_person_holds_a_character_and_clicks_on_units(browser, tmp_path):
    """A click holds the step and another lets it go; keys move; units can be picked from all, and from the known."""
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.common.by import By

    model = language_model()
    reading = read_text(model, TEXT, VOCABULARY)
    open_page(browser, tmp_path, model, reading)
    here = lambda: int(re.match(r"step (\d+):", texts(browser, "#here")[0])[1])  # noqa: E731
    unit = lambda: int(browser.find_element(By.ID, "unit").get_property("value"))  # noqa: E731
    hover(browser, 20)
    browser.find_element(By.ID, "t20").click()
    hover(browser, 40)
    assert here() == 20
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_UP).perform()
    assert (here(), unit()) == (21, 1)
    browser.find_element(By.ID, "t40").click()
    hover(browser, 41)
    assert here() == 41
    canvas = browser.find_element(By.ID, "units")  # cells of 12.5 pixels; offsets are from its centre
    ActionChains(browser).move_to_element_with_offset(canvas, int(7.5 * 12.5) - 200, 0).click().perform()
    assert unit() == 7
    (known,) = (one for one in meta_of(report(model, reading))["known"] if one["text"].startswith("inside quotes"))
    button = browser.find_element(By.XPATH, "//button[starts-with(., 'inside quotes')]")
    browser.execute_script("arguments[0].click()", button)
    assert unit() == known["unit"]
    assert int(browser.find_element(By.ID, "strand").get_property("value")) == known["strand"]
    assert int(browser.find_element(By.ID, "array").get_property("value")) == known["array"]


@pytest.mark.slow
def test_pages_of_other_models_open(browser, tmp_path):
    """Signals, both directions, one step, values that are not numbers."""
    x = np.random.default_rng(0).standard_normal((30, 2)).astype(np.float32)
    open_page(browser, tmp_path, tagger(), read_array(tagger(), x))
    hover(browser, 3)
    assert list(shown_values(browser)) == ["h", "r", "z", "n"]
    assert len(texts(browser, "#next td.name")) == 3
    model = fr.RNN(2, 3, nonlinearity="identity", seed=0)
    model.params["bias_ih_l0"][...] = np.nan
    open_page(browser, tmp_path, model, read_array(model, x[:1]))
    assert texts(browser, "#values td.number") == ["NaN"]


@pytest.mark.slow
def test_5000_characters_and_512_units_stay_usable(browser, tmp_path):
    """Open within 10 seconds; another unit within 0.3, another character within 0.1, which feels like at once."""
    model = language_model(L=1, H=512)
    reading = read_text(model, (TEXT * 60)[:5000], VOCABULARY)
    path = tmp_path / "page.html"
    path.write_text(report(model, reading, window=10), encoding="utf-8")
    assert path.stat().st_size < 25e6
    browser.get(path.as_uri())
    opened = browser.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    clock = "const start = performance.now(); for (let k = 1; k <= 5; k++) %s; return (performance.now() - start) / 5"
    unit, step = (browser.execute_script(clock % call) for call in ("pick({ unit: 9 * k })", "go(900 * k, false)"))
    print(f"{path.stat().st_size / 1e6:.1f} MB, open in {opened:.0f} ms, unit {unit:.1f} ms, step {step:.1f} ms")
    assert opened < 10_000 and unit < 300 and step < 100
