"""The server for pictures, through a test client: what it takes, refuses and answers."""

import base64
import io
import os
import signal

import numpy as np
import pytest
from page_clients import TestClient, files, send_to, wait_for
from PIL import Image

from glore_video.prediction import load_predictor
from glore_video.serving.app import Limits, create_app
from glore_video.tasks import shown_picture as served


@pytest.fixture(scope="module")
def ready(picture_checkpoint):
    return load_predictor(weights=picture_checkpoint)


@pytest.fixture
def client(ready):
    with TestClient(create_app(ready, Limits(megabytes=1))) as client:
        yield client


def send(client, content, name="a.png"):
    return send_to(client, "pictures", content, name)


def wait(client, identity):
    return wait_for(client, "pictures", identity)


def test_what_the_page_says(client):
    page = client.get("/api/page").json()
    assert (page["kind"], page["question"]) == ("picture", "What is in this picture?")
    assert page["file"] == "picture.jpg"
    assert "image/*" in page["accept"]
    assert "img-src 'self' data:" in client.get("/").headers["content-security-policy"]
    assert client.get("/api/videos/x").status_code == 404


def test_a_picture(client, ready, a_picture):
    answer = send(client, a_picture.read_bytes(), "../my <b>pictüre</b>.png")
    assert answer.status_code == 202
    identity = answer.json()["id"]
    job = wait(client, identity)
    assert job["message"] == ""
    result = job["result"]
    assert result["name"] == "b>.png"  # the last part of a path is its name
    assert result["size"] == [90, 64]
    top = [(each["name"], each["probability"]) for each in result["top"]]
    assert top == ready.predict(a_picture).top()
    look = result["look"]
    # Left, top, width and height: the network sees columns 13 to 77 of 90, and all 64 rows.
    assert look["square"] == [13 / 90, 0, 64 / 90, 1]
    unit = look["units"][1]
    assert unit["path"] == "stage2.0.glore"
    assert unit["shape"] == [1, 16, 16]
    assert len(base64.b64decode(unit["maps"][0])) == len(unit["nodes"]) * 16 * 16
    shown = client.get(f"/api/pictures/{identity}/picture.jpg")
    assert shown.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(shown.content)) as picture, Image.open(a_picture) as original:
        difference = np.asarray(picture).astype(int) - np.asarray(original)
    assert np.abs(difference).mean() < 6
    assert [path.name for path in files(client)] == ["picture.jpg"]
    assert client.delete(f"/api/pictures/{identity}").status_code == 204
    assert files(client) == []
    again = client.get(f"/api/pictures/{identity}/picture.jpg")
    assert "there is no such picture here" in again.json()["error"]


def test_an_upright_small_picture_is_shown(client, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    wide = Image.new("RGB", (2000, 500), (200, 20, 20))
    wide.save(tmp_path / "a.jpg", exif=exif)
    identity = send(client, (tmp_path / "a.jpg").read_bytes()).json()["id"]
    assert wait(client, identity)["result"]["size"] == [500, 2000]
    shown = client.get(f"/api/pictures/{identity}/picture.jpg").content
    assert Image.open(io.BytesIO(shown)).size == (320, 1280)


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 422, "the file is empty"),
        (b"no picture", 422, "not a picture that can be read: can't be opened as a picture"),
        (b"\0" * 1_000_001, 413, "the file is larger than 1 MB"),
    ],
    ids=["empty", "text", "too large"],
)
def test_refused(client, content, status, message):
    answer = send(client, content)
    assert answer.status_code == status
    assert message in answer.json()["error"]
    assert files(client) == []


def test_too_many_pixels_are_not_decoded(ready, a_picture):
    with TestClient(create_app(ready, Limits(pixels=90 * 64 - 1))) as client:
        answer = send(client, a_picture.read_bytes())
    assert "has more than max_pixels = 5,759 pixels" in answer.json()["error"]


def test_a_video_is_none(client, moving_video):
    answer = send(client, moving_video.read_bytes(), "a.mp4")
    assert answer.status_code == 422
    assert "not a picture that can be read" in answer.json()["error"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be killed")
def test_what_crashes_the_decoder_is_refused(client, a_picture, monkeypatch):
    monkeypatch.setattr(served, "_try", lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
    answer = send(client, a_picture.read_bytes())
    assert answer.status_code == 422
    assert "crashed" in answer.json()["error"]
    assert files(client) == []


def test_a_form_is_told_how(client, a_picture):
    answer = client.post("/api/pictures", files={"file": a_picture.read_bytes()})
    assert answer.status_code == 415
    assert "@picture.jpg" in answer.json()["error"]
