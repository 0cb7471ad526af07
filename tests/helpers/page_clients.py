"""Clients of the page: sends files, waits for what becomes of them."""

import time
import warnings

import pytest

pytest.importorskip("fastapi")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that httpx2 has taken the place of httpx
    try:
        from fastapi.testclient import TestClient
    except (ImportError, RuntimeError):
        pytest.skip("the test client needs httpx", allow_module_level=True)

__all__ = ["BYTES", "TestClient", "files", "send_to", "wait_for"]

BYTES = {"content-type": "application/octet-stream"}


def send_to(client, kind, content, name):
    """kind: "videos" or "pictures"."""
    return client.post(f"/api/{kind}", params={"name": name}, content=content, headers=BYTES)


def wait_for(client, kind, identity, seconds=60):
    """The job, done or failed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job = client.get(f"/api/{kind}/{identity}").json()
        if job["state"] in ("done", "failed"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"still {job}")


def files(client):
    """What lies in the server's folder."""
    return [path for path in client.app.state.jobs.root.rglob("*") if path.is_file()]
