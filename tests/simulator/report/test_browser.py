"""The page in a real browser: headless Chromium, if there is one."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from simulator.report.write import Written

CHROMIUM = shutil.which("google-chrome") or shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage")  # fmt: skip
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian: chromium-driver)"),
]


@pytest.fixture(scope="module")
def browser(reported: Written, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium with the page of the sweep open."""
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        driver.get(reported.page.as_uri())
        yield driver
    finally:
        driver.quit()


def shown(browser: Any) -> list[str]:
    """What the four pictures of the viewer hold."""
    sources: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('#pictures img')].map((image) => image.src)"
    )
    return sources


def press(browser: Any, selector: str, key: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.find_element(By.CSS_SELECTOR, selector).send_keys(getattr(Keys, key))


def test_all_pictures_are_decoded(browser: Any) -> None:
    widths = browser.execute_async_script(
        "const done = arguments[0], images = [...document.images];"
        "Promise.all(images.map((image) => image.decode().catch(() => null)))"
        ".then(() => done(images.map((image) => image.naturalWidth)))"
    )
    assert len(widths) >= 12 and all(width > 0 for width in widths)
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('.drawing svg')].map((svg) => svg.getBoundingClientRect().height)"
    )
    assert len(boxes) >= 3 and all(height > 100 for height in boxes)


def test_the_slider_moves_the_pictures_and_says_so(browser: Any) -> None:
    before = shown(browser)
    words = browser.execute_script("return document.getElementById('said').textContent")
    press(browser, "#frame", "ARROW_RIGHT")
    assert shown(browser)[0] != before[0]
    assert browser.execute_script("return document.getElementById('said').textContent") != words
    alts = browser.execute_script("return [...document.querySelectorAll('#pictures img')].map((image) => image.alt)")
    frame = browser.execute_script("return document.getElementById('said').textContent").split(",")[0]
    assert all(alt.lower().startswith(frame) for alt in alts)
    press(browser, "#frame", "ARROW_LEFT")
    assert shown(browser) == before


def test_another_cell_shows_the_same_frame_otherwise(browser: Any) -> None:
    before = shown(browser)
    cell = browser.execute_script("return document.getElementById('which').textContent")
    press(browser, "#clip", "ARROW_DOWN")
    after = shown(browser)
    assert before[0] == after[0] and before[2] != after[2]  # sent is the same, concealed is not
    assert browser.execute_script("return document.getElementById('which').textContent") != cell


@pytest.mark.parametrize("way", ["click", "ENTER"])
def test_a_heading_sorts_its_table_up_then_down(browser: Any, way: str) -> None:
    from selenium.webdriver.common.by import By

    selector = "#quality th:nth-child(4) button"
    orders = []
    for _ in range(2):
        if way == "click":
            browser.find_element(By.CSS_SELECTOR, selector).click()
        else:
            press(browser, selector, way)
        values = browser.execute_script(
            "return [...document.querySelectorAll('#quality td:nth-child(4)')].map((cell) => Number(cell.dataset.sort))"
        )
        direction = browser.find_element(By.CSS_SELECTOR, "#quality th:nth-child(4)").get_attribute("aria-sort")
        assert values == sorted(values, reverse=direction == "descending") and len(set(values)) > 2
        orders.append(direction)
    assert set(orders) == {"ascending", "descending"}


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_and_text_stands_out(browser: Any, width: int, scheme: str) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    )
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    style = "getComputedStyle(document.body)"
    ink, paper = browser.execute_script(f"return [{style}.color, {style}.backgroundColor]")
    assert contrast(ink, paper) > 7
    assert (luminance(paper) > 0.5) == (scheme == "light")


def luminance(colour: str) -> float:
    """Relative luminance of "rgb(r, g, b)" (WCAG 2.2)."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_console_stays_empty(browser: Any) -> None:
    assert browser.get_log("browser") == []
