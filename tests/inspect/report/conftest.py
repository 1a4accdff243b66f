# SPDX-License-Identifier: BSD-3-Clause
"""The browser that opens pages."""

import shutil

import pytest


@pytest.fixture(scope="package")
def browser():
    """Chromium without a window, or a skip with the reason."""
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
