"""The pages in a real browser: no errors, sorting, searching, the matrix, the width of a phone."""

import shutil

import numpy as np
import pytest
from report_examples import NASTY, SUMMARY, example

from glore_video.tasks.classification.alignment import Predictions
from glore_video.tasks.classification.comparison import compare
from glore_video.tasks.classification.comparison_page import write_comparison
from glore_video.tasks.classification.report import make_report

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    if not CHROMIUM or not DRIVER:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page at a width; afterwards the browser's log is still empty."""

    def open_page(content, width=1280):
        path = tmp_path / "päge.html"
        path.write_bytes(content)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(path.as_uri())
        return browser

    browser.get_log("browser")
    yield open_page
    assert browser.get_log("browser") == []


NAMES = ["zebra", "apple", "Éclair", NASTY, "moon", "bread"]


@pytest.fixture(scope="module")
def report():
    frame = np.random.default_rng(0).integers(0, 256, (2, 60, 80, 3), dtype=np.uint8)
    return make_report(example(names=NAMES), SUMMARY, name="x", frames_of=lambda path: frame)


def column(browser, table, number):
    cells = browser.find_elements("css selector", f"#{table} tbody tr td:nth-child({number})")
    return [cell.text for cell in cells if cell.is_displayed()]


def overhang(browser):
    """Pixels that the page is wider than the window."""
    return browser.execute_script(
        "const e = document.documentElement; return e.scrollWidth - e.clientWidth;"
    )


def press(browser, table, number):
    browser.find_element("css selector", f"#{table} th:nth-child({number}) button").click()


def test_tables_sort_and_filter(opened, report):
    page = opened(report)
    assert page.title == "x: test"
    assert column(page, "classes", 1) == NAMES
    press(page, "classes", 3)
    down = [float(text.rstrip("%")) for text in column(page, "classes", 3)]
    assert down == sorted(down, reverse=True)
    assert len(set(down)) > 2
    press(page, "classes", 3)
    assert [float(text.rstrip("%")) for text in column(page, "classes", 3)] == down[::-1]
    press(page, "classes", 1)
    assert column(page, "classes", 1) == [NASTY, "apple", "bread", "Éclair", "moon", "zebra"]
    page.find_element("css selector", "input[data-filter=classes]").send_keys("Z")
    assert "zebra" in column(page, "classes", 1)
    assert "moon" not in column(page, "classes", 1)
    assert page.find_element("id", "classes-count").text.endswith("of 6")


def test_matrix_says_what_is_under_the_pointer(opened, report):
    webdriver = pytest.importorskip("selenium.webdriver")
    page = opened(report)
    canvas = page.find_element("id", "matrix")
    assert canvas.size["width"] == canvas.size["height"] == 6 * 60
    # From the middle of the canvas to the middle of row 1, column 2.
    move = webdriver.ActionChains(page).move_to_element_with_offset(canvas, -30, -90)
    move.perform()
    said = page.find_element("id", "matrix-says").text
    assert said.startswith("apple taken for Éclair: ")
    assert "of 20 videos" in said
    painted = page.execute_script(
        "const d = document.getElementById('matrix').getContext('2d').getImageData(0, 0, 6, 6).data;"
        "return new Set(Array.from({length: 36}, (_, i) => d.slice(4 * i, 4 * i + 3).join())).size;"
    )
    assert painted > 5
    canvas.click()
    canvas.send_keys("\ue015")  # arrow down
    assert " taken for " in page.find_element("id", "matrix-says").text


@pytest.mark.parametrize("width", [390, 1280])
def test_fits_the_width(opened, report, width):
    page = opened(report, width)
    assert overhang(page) == 0
    pictures = page.find_elements("css selector", ".mistake img")
    assert pictures
    assert all(picture.get_property("naturalWidth") > 0 for picture in pictures)


def test_400_classes(opened):
    names = [f"class number {number}" for number in range(400)]
    scores = example(videos=4000, classes=400, clips=1, crops=1, names=names)
    page = opened(make_report(scores, SUMMARY, name="large"), 390)
    assert page.find_element("id", "matrix").size["width"] == 400
    page.find_element("id", "matrix-find").send_keys("class number 399")
    assert page.find_element("id", "matrix-says").text.startswith("class number 399 taken for")
    assert page.execute_script("return document.getElementById('matrix-box').scrollLeft") > 0


def test_comparison(opened, tmp_path):
    labels = np.arange(60) % 3
    rng = np.random.default_rng(0)
    runs = []
    for name, share in ((NASTY, 0.5), ("second", 0.9)):
        said = np.where(rng.random(60) < share, labels, (labels + 1) % 3)
        keys = tuple((f"{NASTY}/{n}.mp4", 0) for n in range(60))
        names = (NASTY, "b", "c")
        runs.append(
            Predictions(source=name, class_names=names, keys=keys, labels=labels, predicted=said)
        )
    write_comparison(tmp_path, [compare([runs[0]], [runs[1]])])
    page = opened((tmp_path / "comparison.html").read_bytes(), 390)
    assert page.title == "Comparison of 2 tests"
    assert overhang(page) == 0
    press(page, "classes1", 5)
    changes = [float(t.replace("\N{MINUS SIGN}", "-")) for t in column(page, "classes1", 5)]
    assert changes == sorted(changes, reverse=True)
    assert len(changes) == 3
