"""The page in a real browser: a real server, real clips, no message in its console."""

import importlib.util
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KINETICS = ROOT.parent / "shared" / "kinetics_tiny" / "videos"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER) or importlib.util.find_spec("selenium") is None,
        reason="needs chromium, its driver and selenium",
    ),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn")),
        reason="needs fastapi and uvicorn",
    ),
    pytest.mark.filterwarnings("ignore"),
]


@contextmanager
def serving(checkpoint):
    """The address of a server with this network."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "glore_video.cli.main", "serve", "--device", "cpu"]
    server = subprocess.Popen(
        [*command, "--weights", str(checkpoint), "--port", str(port)], cwd=ROOT
    )
    url = f"http://127.0.0.1:{port}/"
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            break
        except urllib.error.URLError:
            assert server.poll() is None
            time.sleep(0.2)
    yield url
    server.terminate()
    server.wait(timeout=30)


@pytest.fixture(scope="module")
def address(tiny_checkpoint):
    with serving(tiny_checkpoint) as url:
        yield url


@pytest.fixture
def browser(tmp_path):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def until(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "too slow"
        time.sleep(0.2)


def drop(browser, *paths):
    browser.find_element("id", "file").send_keys("\n".join(map(str, paths)))


def lines(browser):
    return [line.text for line in browser.find_elements("css selector", "#list li")]


def painted(browser):
    """Whether the canvas over the playing video shows something."""
    return browser.execute_script(
        "const c = document.getElementById('map');"
        "return !c.hidden && c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
        ".some((v) => v > 0)"
    )


def test_a_video_is_shown(address, browser, moving_video, tmp_path):
    browser.set_window_size(1200, 900)
    browser.get(address)
    until(lambda: "2 classes, 2 GloRe units" in browser.find_element("id", "about").text)
    clip = KINETICS / "filling_eyebrows.avi" if KINETICS.is_dir() else moving_video
    drop(browser, clip)
    until(lambda: browser.find_element("id", "result").is_displayed())
    assert browser.find_element("id", "title").text == clip.name
    assert len(browser.find_elements("css selector", "#top .bar")) == 2
    assert len(browser.find_elements("css selector", ".strip")) == 2
    until(lambda: browser.execute_script("return document.getElementById('video').currentTime > 0"))
    assert browser.find_element("id", "video").get_attribute("src").endswith("/film.mp4")
    until(lambda: painted(browser))
    buttons = browser.find_elements("css selector", "#nodes button")
    assert len(buttons) == 7
    buttons[-1].click()
    until(lambda: not painted(browser))
    assert browser.get_log("browser") == []
    browser.set_window_size(500, 900)  # the least that this browser allows
    wide = "return document.documentElement.scrollWidth <= window.innerWidth"
    assert browser.execute_script(wide)


def test_what_is_no_video_and_ten_at_once(address, browser, moving_video, tmp_path):
    browser.get(address)
    text = tmp_path / "<b>notes.mp4"
    text.write_text("no video")
    drop(browser, text)
    until(lambda: any("not a video that can be read" in line for line in lines(browser)))
    assert "<b>notes.mp4" in lines(browser)[0]
    copies = [shutil.copy(moving_video, tmp_path / f"{n}.mp4") for n in range(10)]
    drop(browser, *copies)
    until(lambda: sum("show" in line for line in lines(browser)) == 10)
    refused = [entry for entry in browser.get_log("browser") if "422" not in entry["message"]]
    assert refused == []


def test_a_picture_is_shown(browser, picture_checkpoint, a_picture, moving_video):
    with serving(picture_checkpoint) as url:
        browser.set_window_size(1200, 900)
        browser.get(url)
        until(lambda: browser.find_element("id", "question").text == "What is in this picture?")
        drop(browser, a_picture)
        until(lambda: browser.find_element("id", "result").is_displayed())
        picture = browser.find_element("id", "picture")
        until(lambda: picture.get_property("naturalWidth") == 90)
        assert picture.get_attribute("src").endswith("/picture.jpg")
        assert not browser.find_element("id", "video").is_displayed()
        assert not browser.find_element("id", "timeline").is_displayed()
        until(lambda: painted(browser))
        # Over the 64 columns in the middle of 90.
        drawn = browser.execute_script("return document.getElementById('map').width")
        assert abs(drawn - picture.size["width"] * 64 / 90) < 3
        assert browser.get_log("browser") == []
        drop(browser, moving_video)
        until(lambda: any("not a picture that can be read" in line for line in lines(browser)))


def test_a_segmented_picture_is_shown_under_its_classes(browser, scene_checkpoint, a_picture):
    with serving(scene_checkpoint) as url:
        browser.set_window_size(1200, 900)
        browser.get(url)
        drop(browser, a_picture)
        until(lambda: browser.find_element("id", "result").is_displayed())
        picture, overlay = (browser.find_element("id", name) for name in ("picture", "overlay"))
        until(lambda: overlay.get_property("naturalWidth") == 90)
        until(overlay.is_displayed)
        assert not painted(browser)
        assert overlay.rect == picture.rect
        assert overlay.value_of_css_property("opacity") == "0.6"
        mix = "const m = document.getElementById('mix'); m.value = 0; m.dispatchEvent(new Event('input'))"
        browser.execute_script(mix)
        assert overlay.value_of_css_property("opacity") == "0"
        bars = browser.find_elements("css selector", "#top .bar")
        assert len(bars) == len(browser.find_elements("css selector", "#top .bar i")) > 1
        browser.find_elements("css selector", "#nodes button")[0].click()  # a map takes its place
        until(lambda: painted(browser) and not overlay.is_displayed())
        assert browser.get_log("browser") == []
