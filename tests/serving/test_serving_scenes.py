"""The server for segmentation networks, through a test client: overlay, shares, maps, what it refuses."""

import base64
import io

import numpy as np
import pytest
from page_clients import TestClient, files, send_to, wait_for
from PIL import Image

from glore_video.prediction import load_predictor
from glore_video.serving.app import Limits, create_app


@pytest.fixture(scope="module")
def ready(scene_checkpoint):
    return load_predictor(weights=scene_checkpoint)


@pytest.fixture
def client(ready):
    with TestClient(create_app(ready, Limits(megabytes=1))) as client:
        yield client


def result_of(client, content, name="a.png"):
    answer = send_to(client, "pictures", content, name)
    assert answer.status_code == 202, answer.text
    job = wait_for(client, "pictures", answer.json()["id"])
    assert job["message"] == ""
    return answer.json()["id"], job["result"]


def test_a_picture_has_an_overlay_its_colours_and_shares(client, ready, a_picture):
    assert client.get("/api/page").json()["question"] == "What is where in this picture?"
    identity, result = result_of(client, a_picture.read_bytes(), "my pictüre.png")
    assert (result["name"], result["size"]) == ("my pictüre.png", [90, 64])
    seen = ready.predict(a_picture)
    assert [(each["name"], each["share"]) for each in result["top"]] == seen.top(19)
    head, _, content = result["overlay"].partition(",")
    assert head == "data:image/png;base64"
    overlay = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))
    assert (overlay == seen.classes.colour_table[seen.mask]).all()
    colours = {each["name"]: each["colour"] for each in result["top"]}
    number = seen.mask[5, 5]
    assert colours[ready.class_names[number]] == "#{:02x}{:02x}{:02x}".format(*overlay[5, 5])
    look = result["look"]
    assert look["square"] == [0, 0, 1, 1]
    assert [each["path"] for each in look["units"]] == ["backbone.stage1.1.glore", "head.glore"]
    assert look["class"] == result["top"][0]["name"]
    shown = client.get(f"/api/pictures/{identity}/picture.jpg")
    assert Image.open(io.BytesIO(shown.content)).size == (90, 64)
    assert [path.name for path in files(client)] == ["picture.jpg"]


def test_a_large_picture_is_shown_small_with_an_overlay_of_its_size(client):
    content = io.BytesIO()
    Image.new("RGB", (1600, 30), (90, 160, 40)).save(content, "PNG")
    _, result = result_of(client, content.getvalue())
    overlay = Image.open(io.BytesIO(base64.b64decode(result["overlay"].partition(",")[2])))
    assert (result["size"], overlay.size) == ([1600, 30], (1280, 24))


def test_refused(client, ready, a_picture, moving_video):
    content = io.BytesIO()
    Image.new("RGB", (13_001, 1000)).save(content, "PNG")
    for sent, message in (
        (content.getvalue(), "has more than max_pixels = 13,000,000 pixels"),
        (a_picture.read_bytes()[:300], "not a picture that can be read"),
        (moving_video.read_bytes(), "not a picture that can be read"),
        (b"", "the file is empty"),
    ):
        answer = send_to(client, "pictures", sent, "a.png")
        assert answer.status_code == 422
        assert message in answer.json()["error"]
    assert files(client) == []
