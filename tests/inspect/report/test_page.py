# SPDX-License-Identifier: BSD-3-Clause
"""The page in a browser: what it shows, and how it reacts."""

import re

import numpy as np
import pytest
from support.browser import dark, hover, narrow, number, open_page, settled, shown_values, texts
from support.inspection import TEXT, VOCABULARY, meta_of, text_model

import fastrnn as fr
from fastrnn.inspect import influence, read_text, report, trace
from fastrnn.inspect._report.predictions import recent_influence


@pytest.mark.slow
def test_hovering_and_selecting_a_unit(browser, tmp_path):
    """The page shows what `trace` returns: values, colours, influence, and the next token."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    model = text_model()
    reading = read_text(model, TEXT, VOCABULARY)
    result, p = trace(model, reading.x), np.exp(fr.log_softmax(model(reading.x)[0]))
    open_page(browser, tmp_path, model, reading)
    characters = browser.execute_script("return [...document.querySelectorAll('#text i')].map(i => i.textContent)")
    assert "".join(characters) == TEXT.replace("\n", "\u21b5\n").replace("\t", "\u21e5\t")

    def check(layer, unit, t):
        values = shown_values(browser)
        assert list(values) == list("hcifgo")
        for name, value in values.items():
            array = result[f"1.{name}"][layer, 0, :, 0, unit]
            assert abs(value - array[t]) <= np.abs(array).max() / 254 + 0.00051

    hover(browser, 12)
    check(0, 0, 12)
    hover(browser, 30)
    check(0, 0, 30)
    assert texts(browser, "#current")[0].startswith("step 30:")
    rows = texts(browser, "#next td.number")
    np.testing.assert_allclose([number(row) for row in rows[:10]], 100 * np.sort(p[30])[::-1][:10], atol=0.0501)
    actual = browser.find_element(By.CSS_SELECTOR, "#next tr.actual td.number").text
    assert abs(number(actual) - 100 * p[30, reading.tokens[31]]) <= 0.0501

    shadow = "return getComputedStyle(document.getElementById('t' + arguments[0])).boxShadow"
    chosen = np.append(reading.tokens[1:], 0)
    latest = recent_influence(model, reading.x, result, chosen, 40, softmax=True)[30]
    for k in (0, 5, 12):
        alpha = re.search(r"rgba\(230, 159, 0, ([\d.]+)\)", browser.execute_script(shadow, 30 - k))
        alpha = float(alpha[1]) if alpha else 1.0  # written as rgb(...)
        assert abs(alpha - latest[k] / latest.max()) <= 0.01
    assert browser.execute_script(shadow, 31) == "none"

    unit = browser.find_element(By.ID, "unit")
    browser.execute_script("arguments[0].value = 13; arguments[0].dispatchEvent(new Event('input'))", unit)
    check(0, 13, 30)
    Select(browser.find_element(By.ID, "recurrence")).select_by_visible_text("1: layer 1")
    check(1, 13, 30)
    Select(browser.find_element(By.ID, "array")).select_by_visible_text("f")
    colours = browser.execute_script(
        "return [...document.querySelectorAll('#text i')].map(i => getComputedStyle(i).backgroundColor)"
    )
    gate = result["1.f"][1, 0, :, 0, 13]
    red = np.array([int(re.match(r"rgb\((\d+),", colour)[1]) for colour in colours])
    np.testing.assert_allclose(red, 255 - 254 * gate, atol=254 * gate.max() / 254 + 0.51)


@pytest.mark.slow
def test_pinning_a_step_and_clicking_on_units(browser, tmp_path):
    """A click pins the step and another releases it; keys move; units can be clicked, in the grid and in the list."""
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.common.by import By

    model = text_model()
    reading = read_text(model, TEXT, VOCABULARY)
    open_page(browser, tmp_path, model, reading)
    here = lambda: int(re.match(r"step (\d+):", texts(browser, "#current")[0])[1])  # noqa: E731
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
    (match,) = (one for one in meta_of(report(model, reading))["matches"] if one["text"].startswith("inside quotes"))
    button = browser.find_element(By.XPATH, "//button[starts-with(., 'inside quotes')]")
    browser.execute_script("arguments[0].click()", button)
    assert unit() == match["unit"]
    assert int(browser.find_element(By.ID, "recurrence").get_property("value")) == match["recurrence"]
    assert int(browser.find_element(By.ID, "array").get_property("value")) == match["array"]


@pytest.mark.slow
def test_a_text_with_one_output_at_its_end(browser, tmp_path):
    """All characters are underlined by their influence on the largest output, whichever step is chosen."""
    model = fr.Sequential(fr.Embedding(len(VOCABULARY), 4, seed=0), fr.GRU(4, 8, seed=1), fr.LastStep())
    reading = read_text(model, TEXT[:30], VOCABULARY)
    open_page(browser, tmp_path, model, reading)
    expected = influence(model, reading.x, output=int(model(reading.x)[0].argmax()))
    for t in 0, 20:
        hover(browser, t)
        shares = [int(re.search(r"\d+", title)[0]) for title in titles(browser)]
        np.testing.assert_allclose(shares, 100 * expected / expected.max(), atol=0.71)
    assert len(texts(browser, "#next td.name")) == 8 and texts(browser, "#predictions-title")[0].endswith("last step")


def titles(browser):
    return browser.execute_script("return [...document.querySelectorAll('#text i')].map(i => i.title)")


@pytest.mark.slow
def test_dark_and_narrow(browser, tmp_path):
    """Where it is dark, colors begin at the dark paper; a narrow page has one column and no horizontal bar."""
    model = text_model()
    open_page(browser, tmp_path, model, read_text(model, TEXT, VOCABULARY))
    background = "return getComputedStyle(document.body).backgroundColor"
    width = "return [document.documentElement.scrollWidth, innerWidth]"
    sides = "return ['text', 'units'].map(id => document.getElementById(id).getBoundingClientRect().left)"
    with dark(browser):
        assert browser.execute_script(background) == "rgb(24, 26, 30)"
        settled(browser)
        assert browser.execute_script("return css(colour(0, false))") == "rgb(24,26,30)"
    settled(browser)
    assert browser.execute_script("return css(colour(0, false))") == "rgb(255,255,255)"
    assert np.diff(browser.execute_script(sides)) > 500
    with narrow(browser, 500):
        whole, window = browser.execute_script(width)
        assert whole <= window == 500
        assert np.abs(np.diff(browser.execute_script(sides))) < 20


@pytest.mark.slow
def test_5000_characters_and_512_units_stay_usable(browser, tmp_path):
    """The page opens within 10 s; another unit takes at most 0.3 s, another character 0.1 s."""
    model = text_model(L=1, H=512)
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
