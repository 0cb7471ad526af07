"""The server, through a test client: what it takes, what it refuses, what it answers."""

import base64
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from page_clients import BYTES, TestClient, files, send_to, wait_for
from torch import nn

from glore_video.prediction import VideoPredictor
from glore_video.prediction.loading import load_predictor
from glore_video.serving.app import Limits, create_app
from glore_video.tasks.video_classification import served
from glore_video.tasks.video_classification.dataset import EvalViews
from glore_video.video import ClipSampling, open_video


@pytest.fixture(scope="module")
def ready(tiny_checkpoint):
    return load_predictor(weights=tiny_checkpoint)


@pytest.fixture
def client(ready):
    with TestClient(create_app(ready, Limits(megabytes=1, seconds=10))) as client:
        yield client


def send(client, content, name="a.mp4"):
    return send_to(client, "videos", content, name)


def wait(client, identity):
    return wait_for(client, "videos", identity)


def test_the_page_needs_nothing_from_elsewhere(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for foreign in ("http://", "https://", '<link rel="stylesheet', 'src="//', "@import"):
        assert foreign not in answer.text
    assert client.get("/docs").status_code == 404
    assert client.get("/openapi.json").status_code == 404


def test_about(client):
    assert client.get("/api/about").json() == {
        "weights": "checkpoint_epoch_00001.pyth",
        "classes": 2,
        "units": ["stage1.1.glore", "stage2.0.glore"],
        "megabytes": 1,
        "seconds": 10,
    }


def test_a_video(client, moving_video, tmp_path):
    answer = send(client, moving_video.read_bytes(), "../my <b>vidéo</b>.mp4")
    assert answer.status_code == 202
    identity = answer.json()["id"]
    job = wait(client, identity)
    assert job["message"] == ""
    result = job["result"]
    assert result["name"] == "b>.mp4"  # the last part of a path is its name
    assert result["duration"] == 3.0
    assert result["size"] == [96, 72]
    assert {each["name"] for each in result["top"]} == {"hopping", "jumping <high>"}
    assert sum(each["probability"] for each in result["top"]) == pytest.approx(1)
    windows = result["timeline"]["windows"]
    assert windows[0]["start"] == 0
    assert windows[-1]["end"] == 3.0
    look = result["look"]
    # Left, top, width and height: the network sees columns 12 to 84 of 96, and all 72 rows.
    assert look["square"] == [12 / 96, 0, 72 / 96, 1]
    unit = look["units"][1]
    assert unit["path"] == "stage2.0.glore"
    assert unit["shape"] == [4, 16, 16]
    assert len(base64.b64decode(unit["maps"][0])) == len(unit["nodes"]) * 4 * 16 * 16
    assert [clip["start"] for clip in look["clips"]] == sorted(c["start"] for c in look["clips"])
    assert look["clips"][-1]["end"] == 3.0
    film = client.get(f"/api/videos/{identity}/film.mp4")
    assert film.headers["content-type"] == "video/mp4"
    path = tmp_path / "film.mp4"
    path.write_bytes(film.content)
    with open_video(path) as video:
        assert (video.width, video.height, video.num_frames) == (96, 72, 30)
    part = client.get(f"/api/videos/{identity}/film.mp4", headers={"Range": "bytes=0-99"})
    assert part.status_code == 206


def test_uploads_are_deleted(client, moving_video):
    identity = send(client, moving_video.read_bytes()).json()["id"]
    wait(client, identity)
    assert [path.name for path in files(client)] == ["film.mp4"]
    assert client.delete(f"/api/videos/{identity}").status_code == 204
    assert files(client) == []
    assert client.get(f"/api/videos/{identity}").status_code == 404
    assert client.get(f"/api/videos/{identity}/film.mp4").status_code == 404


def test_nothing_stays_behind(ready, moving_video):
    with TestClient(create_app(ready)) as client:
        wait(client, send(client, moving_video.read_bytes()).json()["id"])
        root = client.app.state.jobs.root
        assert root.is_dir()
    assert not root.exists()


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 422, "the file is empty"),
        (b"no video", 422, "not a video that can be read: can't be opened as video"),
        (b"\0" * 1_000_001, 413, "the file is larger than 1 MB"),
    ],
    ids=["empty", "text", "too large"],
)
def test_refused(client, content, status, message):
    answer = send(client, content)
    assert answer.status_code == status
    assert message in answer.json()["error"]
    assert files(client) == []


def test_too_large_without_saying_so(client):
    """In parts, without a content-length."""
    answer = client.post("/api/videos", content=(b"\0" * 100_000 for _ in range(20)), headers=BYTES)
    assert answer.status_code == 413
    assert files(client) == []


def test_an_upload_that_takes_too_long(ready):
    def slowly():
        yield b"0"
        time.sleep(0.5)
        yield b"1"

    with TestClient(create_app(ready, Limits(upload_seconds=1e-4))) as client:
        answer = client.post("/api/videos", content=slowly(), headers=BYTES)
        assert answer.status_code == 408
        assert files(client) == []


def test_a_truncated_video(client, moving_video):
    content = moving_video.read_bytes()
    answer = send(client, content[: len(content) // 2])
    message = answer.json().get("error") or wait(client, answer.json()["id"])["message"]
    assert "cut off" in message or "decod" in message
    assert "/tmp" not in message


def test_too_long_and_too_wide(ready, moving_video):
    content = moving_video.read_bytes()
    with TestClient(create_app(ready, Limits(seconds=2))) as client:
        assert send(client, content).json()["error"] == ("the video is 3 s long; 2 s are the most")
    with TestClient(create_app(ready, Limits(pixels=96 * 71))) as client:
        assert send(client, content).json()["error"] == "frames of 96 x 72 pixels are too large"


@pytest.mark.parametrize(("fault", "said"), [("hang", "took longer than"), ("crash", "crashed")])
def test_what_hangs_or_crashes_the_decoder_is_refused(
    ready, moving_video, monkeypatch, fault, said
):
    def bad(path, decode):
        if decode:
            time.sleep(60 if fault == "hang" else 0)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path, decode)

    real = served._read
    monkeypatch.setattr(served, "_read", bad)
    with TestClient(create_app(ready, Limits(decoding_seconds=2))) as client:
        answer = send(client, moving_video.read_bytes())
        assert answer.status_code == 422
        assert said in answer.json()["error"]
        assert files(client) == []


def test_other_sites_pages_can_not_upload(client, moving_video):
    answer = client.post(
        "/api/videos", content=moving_video.read_bytes(), headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 415
    assert (
        "curl --data-binary @video.mp4 -H 'Content-Type: application/octet-stream' 'http"
        in (answer.json()["error"])
    )


def test_other_names_for_this_machine_are_refused(ready):
    app = create_app(ready, hosts=("127.0.0.1", "localhost"))
    with TestClient(app, base_url="http://evil.example") as client:
        assert client.get("/api/about").status_code == 400
    with TestClient(create_app(ready, hosts=("localhost",)), base_url="http://localhost:8000") as c:
        assert c.get("/api/about").status_code == 200


class Brightness(nn.Module):
    def forward(self, clips):
        mean = clips.flatten(1).mean(1)
        return torch.stack([mean, -mean], 1)


def test_ten_at_once(moving_video):
    plain = VideoPredictor(
        network=Brightness(),
        class_names=("bright", "dark"),
        views=EvalViews(
            sampling=ClipSampling(num_frames=2, stride=29),
            num_clips=1,
            short_side=32,
            crop_size=32,
            num_crops=1,
        ),
    )
    content = moving_video.read_bytes()
    with TestClient(create_app(plain)) as client:
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda n: send(client, content, f"{n}.mp4"), range(10)))
        assert [answer.status_code for answer in answers] == [202] * 10
        jobs = [wait(client, answer.json()["id"]) for answer in answers]
    assert [job["state"] for job in jobs] == ["done"] * 10
    assert [job["name"] for job in jobs] == [f"{n}.mp4" for n in range(10)]
    first = jobs[0]["result"]
    assert all(job["result"]["top"] == first["top"] for job in jobs)
    assert first["top"][0]["name"] == "dark"
    assert first["look"] is None
