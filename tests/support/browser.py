# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of pages in a browser share: opening them, pointing at them, reading them."""

from contextlib import contextmanager

from fastrnn.inspect import report


def open_page(browser, tmp_path, model, reading, **options):
    """The report on a model and a sequence, in the browser."""
    path = tmp_path / "page.html"
    path.write_text(report(model, reading, **options), encoding="utf-8")
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


def settled(browser):
    """Wait until the page has been drawn again."""
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


@contextmanager
def dark(browser):
    """The browser as where it is dark."""
    feature = {"name": "prefers-color-scheme", "value": "dark"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    yield
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@contextmanager
def narrow(browser, width):
    """The browser with a window of this width."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
