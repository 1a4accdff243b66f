# SPDX-License-Identifier: BSD-3-Clause
"""The page on signals in a browser: curves, the values at a step, influence, zoom, keys."""

import re

import numpy as np
import pytest
from support.browser import dark, narrow, number, open_page, settled, shown_values, texts
from support.inspection import draw, tagger

import fastrnn as fr
from fastrnn.inspect import influence, read_array, trace
from fastrnn.inspect._report.predictions import recent_influence

LEFT, RIGHT = 56, 8  # pixels beside the curves
pytestmark = pytest.mark.slow


def lstm():
    return fr.Sequential(fr.LSTM(2, 7, 2, seed=0), fr.Linear(7, 3, seed=1))


def point(browser, t, *actions):
    """Move to step t, by the pixels of the page, and do these actions there."""
    from selenium.webdriver import ActionChains

    box = browser.execute_script("return document.getElementById('curves').getBoundingClientRect().toJSON()")
    shown = browser.execute_script("return shown")
    share = (t - shown["from"]) / (shown["to"] - shown["from"])
    x = LEFT + share * (box["width"] - LEFT - RIGHT) - box["width"] / 2  # offsets are from the centre
    chain = ActionChains(browser)
    chain.move_to_element_with_offset(browser.find_element("id", "curves"), round(x), 0)
    for action in actions:
        getattr(chain, action)()
    chain.perform()


def span(browser):
    """The first and the last step in view, as the page says."""
    first, last = re.match(r"steps ([\d,]+) to ([\d,]+) of", texts(browser, "#range")[0]).groups()
    return int(first.replace(",", "")), int(last.replace(",", ""))


def here(browser):
    return int(re.match(r"step (\d+)", texts(browser, "#current")[0])[1])


def pixels(browser, selector, x):
    """The pixels of a column of a canvas at x: red, green, blue and alpha from the top."""
    script = """const canvas = document.querySelector(arguments[0]), copy = document.createElement("canvas");
                Object.assign(copy, { width: 1, height: canvas.height });
                const pen = copy.getContext("2d", { willReadFrequently: true });
                pen.drawImage(canvas, -arguments[1], 0);
                return [...pen.getImageData(0, 0, 1, canvas.height).data]"""
    return np.array(browser.execute_script(script, selector, x)).reshape(-1, 4)


def test_values_and_curves(browser, tmp_path, rng):
    """Beside each name is the value at the step under the pointer, and the curve passes through it."""
    x, model = draw(rng, 40, 2), lstm()
    reading = read_array(model, x, features=["speed", "load"], units=["m/s", ""])
    open_page(browser, tmp_path, model, reading)
    point(browser, 17)
    assert here(browser) == 17
    legends = [text.split("\n")[0] for text in texts(browser, "#features .legend span")]
    assert legends[0].startswith("speed (m/s) ") and legends[1].startswith("load ") and "(" not in legends[1]
    y = model(x)[0]
    shown = [number(text) for text in texts(browser, "#features output") + texts(browser, "#outputs output")]
    np.testing.assert_allclose(shown, [*x[17], *y[17]], rtol=1e-4)
    for name, value in zip("hgcifo", texts(browser, "#state output"), strict=True):
        array = trace(model, x)[f"0.{name}"][0, 0, :, 0, 0]
        assert abs(number(value) - array[17]) <= np.abs(array).max() / 254 + 0.00051
        assert shown_values(browser)[name] == number(value)
    script = """const p = inputs[0], box = p.canvas;
                return [place(17), box.clientHeight, ...p.limits, box.width / box.clientWidth]"""
    at, height, low, high, scale = browser.execute_script(script)
    np.testing.assert_allclose([low, high], [x[:, 0].min(), x[:, 0].max()], rtol=1e-6)
    row = 6 + (high - x[17, 0]) / (high - low) * (height - 12)
    blue = pixels(browser, "#features canvas", round(at * scale))
    drawn = np.flatnonzero((blue[:, 3] > 128) & (blue[:, 2] > blue[:, 0] + 40)) / scale
    assert np.abs(drawn - row).min() <= 2


def test_influence_is_the_shading(browser, tmp_path, rng):
    """On the chosen output, and behind each of the latest steps."""
    from selenium.webdriver.support.ui import Select

    x, model = draw(rng, 40, 2), lstm()
    open_page(browser, tmp_path, model, read_array(model, x), window=10)
    result = trace(model, x)
    for output in 0, 2:
        Select(browser.find_element("id", "output")).select_by_visible_text(f"output {output}")
        point(browser, 30)
        expected = recent_influence(model, x, result, np.full(40, output), 10)[30]
        for k in (1, 4, 9, 10):
            at, scale = browser.execute_script("return [place(arguments[0]), devicePixelRatio]", 30 - k)
            alpha = pixels(browser, "#shading", round(at * scale))[5, 3] / 255
            share = expected[k] / expected.max() if k < 10 else 0
            assert abs(alpha - 0.75 * share) <= 0.01
        assert texts(browser, ".legend .chosen")[0].startswith(f"output {output}")


def test_influence_on_outputs_at_the_end(browser, tmp_path, rng):
    x, model = draw(rng, 20, 2), fr.Sequential(fr.GRU(2, 4, seed=0), fr.LastStep())
    open_page(browser, tmp_path, model, read_array(model, x))
    expected = influence(model, x, output=0)
    shares = browser.execute_script("return influences()")
    np.testing.assert_allclose([share for _, share in shares], expected / expected.max(), atol=0.5001 / 255)
    assert not browser.find_element("id", "outputs-title").is_displayed()
    assert texts(browser, "#predictions-title") == ["Largest outputs after the last step"]


def test_zoom(browser, tmp_path, rng):
    """By wheel, drag, buttons and keys; a double click shows all steps again."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    x = draw(rng, 1000, 2)
    open_page(browser, tmp_path, tagger(), read_array(tagger(), x))
    assert span(browser) == (0, 999)
    from_to = [browser.execute_script("return place(arguments[0])", t) for t in (200, 400)]
    point(browser, 200, "click_and_hold")
    ActionChains(browser).move_by_offset(round(from_to[1] - from_to[0]), 0).release().perform()
    settled(browser)
    np.testing.assert_allclose(span(browser), (200, 400), atol=3)
    point(browser, 300)
    left = browser.execute_script("return document.getElementById('curves').getBoundingClientRect().x + place(300)")
    origin = ScrollOrigin.from_viewport(round(left), 300)
    ActionChains(browser).scroll_from_origin(origin, 0, -250).perform()
    settled(browser)
    np.testing.assert_allclose(span(browser), (250, 350), atol=4)
    point(browser, 300, "double_click")
    settled(browser)
    assert span(browser) == (0, 999)
    point(browser, 500)
    ActionChains(browser).send_keys("+", "+").perform()
    settled(browser)
    np.testing.assert_allclose(span(browser), (375, 625), atol=4)
    ActionChains(browser).send_keys("0").perform()
    settled(browser)
    assert span(browser) == (0, 999)
    for button in "in", "in", "out":
        browser.find_element("id", button).click()
    settled(browser)
    assert np.diff(span(browser)) == pytest.approx(500, abs=3)
    for _ in range(20):
        browser.execute_script("zoom(0.5)")
    settled(browser)
    assert np.diff(span(browser)) <= 8


def test_pinning_and_keys(browser, tmp_path, rng):
    """A click keeps a step; keys walk through steps and units, and the view follows."""
    from selenium.webdriver import ActionChains, Keys

    open_page(browser, tmp_path, lstm(), read_array(lstm(), draw(rng, 300, 2)))
    point(browser, 100, "click")
    at = here(browser)
    point(browser, 200)
    assert here(browser) == at and abs(at - 100) <= 1
    press = lambda *keys: ActionChains(browser).send_keys(*keys).perform()  # noqa: E731
    press(Keys.ARROW_RIGHT, Keys.ARROW_UP, Keys.ARROW_UP)
    assert here(browser) == at + 1 and texts(browser, "#unit-title") == ["0: layer 0, unit 2"]
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT).key_up(Keys.SHIFT).perform()
    assert here(browser) == at - 9
    press("+", "+", "+", Keys.END)
    settled(browser)
    assert here(browser) == 299 and span(browser)[1] == 299
    press(Keys.ESCAPE)
    point(browser, 280)
    assert here(browser) == 280


def test_long_signals_stay_usable(browser, tmp_path):
    """20,000 steps: one zoom takes at most 0.3 s, one step 0.2 s. A peak of one step is not lost."""
    x = np.zeros((20_000, 2), np.float32)
    x[12_345, 0] = 1
    open_page(browser, tmp_path, lstm(), read_array(lstm(), x), window=5)
    top = browser.execute_script("return [place(12345), devicePixelRatio]")
    columns = [pixels(browser, "#features canvas", round(top[0] * top[1]) + k) for k in (-1, 0, 1)]
    assert any(((column[4:14, 3] > 100) & (column[4:14, 2] > column[4:14, 0] + 40)).any() for column in columns)
    clock = (
        "const start = performance.now(); for (let k = 1; k <= 5; k++) { %s } return (performance.now() - start) / 5"
    )
    zoom, step = (browser.execute_script(clock % call) for call in ("zoom(0.9); redraw();", "go(900 * k, false);"))
    print(f"zoom {zoom:.1f} ms, step {step:.1f} ms")
    assert zoom < 300 and step < 200


def test_other_models_and_looks(browser, tmp_path, rng):
    """Both directions, one step, NaN; dark, and narrow without a horizontal bar."""
    x = draw(rng, 30, 2)
    open_page(browser, tmp_path, tagger(), read_array(tagger(), x))
    point(browser, 3)
    assert list(shown_values(browser)) == ["h", "r", "z", "n"]
    assert len(texts(browser, "#next td.name")) == 3 and len(texts(browser, "#outputs output")) == 3
    assert not browser.find_element("id", "influence-on").is_displayed()
    with dark(browser):
        settled(browser)
        assert browser.execute_script("return line(0)") == "#4da6e0"
    with narrow(browser, 500):
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 500
        settled(browser)
        assert browser.execute_script("return inner") < 450
    model = fr.RNN(2, 3, nonlinearity="identity", seed=0)
    model.params["bias_ih_l0"][...] = np.nan
    open_page(browser, tmp_path, model, read_array(model, x[:1]))
    assert texts(browser, "#values td.number") == ["NaN"] and texts(browser, "#state output") == ["NaN"]
    assert texts(browser, "#range") == ["steps 0 to 0 of 1"]
