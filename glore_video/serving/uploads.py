"""Uploads: taken with limits, looked at before they wait for the network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from glore_video.serving.jobs import FullError, Job, Jobs
from glore_video.serving.trial import Trial
from glore_video.tasks.predictor import Predictor


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the server takes.

    Attributes:
        megabytes: of an upload.
        seconds: length of a video.
        pixels: of a frame or picture; 0: what is usual.
        waiting: files at a time.
        keep_minutes: how long results stay.
        upload_seconds: that an upload may take.
        decoding_seconds: that decoding a whole file may take.
    """

    megabytes: float = 200.0
    seconds: float = 300.0
    pixels: int = 0
    waiting: int = 20
    keep_minutes: float = 30.0
    upload_seconds: float = 600.0
    decoding_seconds: float = 60.0


class RefusedError(Exception):
    """An upload that is not taken: an HTTP status, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def take(
    request: Request, name: str, jobs: Jobs, limits: Limits, trial: Trial, predictor: Predictor
) -> Job:
    """The job of the file that a request brings, in the line.

    Raises RefusedError if it is not taken; nothing of it is left then.
    """
    # Not a type that other sites' pages may send without asking first.
    if request.headers.get("content-type") != "application/octet-stream":
        file = predictor.kind.word + Path(predictor.kind.example).suffix
        raise RefusedError(
            415,
            "send the file itself as application/octet-stream, not a form: curl --data-binary "
            f"@{file} -H 'Content-Type: application/octet-stream' '{request.url}'",
        )
    job: Job | None = None
    taken = False
    try:
        job = jobs.new(name)
        await asyncio.wait_for(_receive(request, job, limits), limits.upload_seconds)
        await run_in_threadpool(_check, job, limits, trial, predictor)
        jobs.submit(job)
        taken = True
    except FullError as error:
        raise RefusedError(503, str(error)) from None
    except asyncio.TimeoutError:
        reason = f"the upload took more than {limits.upload_seconds:g} s"
        raise RefusedError(408, reason) from None
    except ClientDisconnect:
        raise RefusedError(400, "the upload was broken off") from None
    finally:
        if job is not None and not taken:
            jobs.remove(job)
    return job


async def _receive(request: Request, job: Job, limits: Limits) -> None:
    most = int(limits.megabytes * 1e6)
    too_large = RefusedError(413, f"the file is larger than {limits.megabytes:g} MB")
    promised = request.headers.get("content-length", "")
    if promised.isdigit() and int(promised) > most:
        raise too_large
    received = 0
    with job.upload.open("wb") as file:
        async for part in request.stream():
            received += len(part)
            if received > most:
                raise too_large
            await run_in_threadpool(file.write, part)
    if not received:
        raise RefusedError(422, "the file is empty")


def _check(job: Job, limits: Limits, trial: Trial, predictor: Predictor) -> None:
    pixels = limits.pixels or predictor.exhibit.most_pixels
    reason = predictor.refuse(str(job.upload), trial.run, seconds=limits.seconds, pixels=pixels)
    if reason:
        raise RefusedError(422, reason)
