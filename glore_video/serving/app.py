"""The server: one page, uploads with limits, results as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from glore_video.models import glore_units
from glore_video.prediction.loading import ReadyModel
from glore_video.serving.analysis import analyse
from glore_video.serving.jobs import FullError, Job, Jobs
from glore_video.serving.trial import Trial
from glore_video.video import VideoError

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    "media-src 'self' blob:; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the server takes.

    Attributes:
        megabytes: of an upload.
        seconds: length of a video.
        pixels: of a frame.
        waiting: videos at a time.
        keep_minutes: how long results stay.
        upload_seconds: that an upload may take.
        decoding_seconds: that decoding the whole video may take.
    """

    megabytes: float = 200.0
    seconds: float = 300.0
    pixels: int = 4096 * 2304
    waiting: int = 20
    keep_minutes: float = 30.0
    upload_seconds: float = 600.0
    decoding_seconds: float = 60.0


class RefusedError(Exception):
    """An upload that is not taken: an HTTP status, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def create_app(
    ready: ReadyModel, limits: Limits | None = None, *, hosts: Sequence[str] = ("*",)
) -> FastAPI:
    """The application, to be run by uvicorn or a test client.

    Args:
        ready: the network.
        limits: what it takes.
        hosts: names under which it may be called; others are refused, which keeps web pages that
            point a name of theirs at this machine from reading anything.
    """
    limits = limits or Limits()
    jobs = Jobs(
        lambda upload, film, name, report: analyse(upload, ready, film, name=name, report=report),
        most=limits.waiting,
        keep_seconds=60 * limits.keep_minutes,
    )

    trial = Trial(limits.decoding_seconds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(jobs.close)
        await run_in_threadpool(trial.close)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.jobs = jobs
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    page = resources.files("glore_video.serving").joinpath("page.html").read_text("utf-8")

    @app.get("/")
    def show_page() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    @app.get("/api/about")
    def about() -> dict[str, Any]:
        return {
            "weights": Path(ready.source).name,
            "classes": len(ready.class_names),
            "units": list(glore_units(ready.network)),
            "megabytes": limits.megabytes,
            "seconds": limits.seconds,
        }

    @app.post("/api/videos")
    async def take(request: Request, name: str = "video") -> JSONResponse:
        # Not a type that other sites' pages may send without asking first.
        if request.headers.get("content-type") != "application/octet-stream":
            return _error(
                415,
                "send the file itself as application/octet-stream, not a form: curl --data-binary "
                f"@video.mp4 -H 'Content-Type: application/octet-stream' '{request.url}'",
            )
        job: Job | None = None
        taken = False
        try:
            job = jobs.new(Path(name).name[:200] or "video")
            await asyncio.wait_for(_receive(request, job, limits), limits.upload_seconds)
            await run_in_threadpool(_check, job, limits, trial)
            jobs.submit(job)
            taken = True
        except FullError as error:
            return _error(503, str(error))
        except RefusedError as error:
            return _error(error.status, str(error))
        except asyncio.TimeoutError:
            return _error(408, f"the upload took more than {limits.upload_seconds:g} s")
        except ClientDisconnect:
            return _error(400, "the upload was broken off")
        finally:
            if job is not None and not taken:
                jobs.remove(job)
        return JSONResponse({"id": job.id}, status_code=202)

    @app.get("/api/videos/{identity}")
    def state(identity: str) -> JSONResponse:
        job = jobs.get(identity)
        if job is None:
            return _error(404, "there is no such video here, or no longer")
        return JSONResponse(
            {
                "name": job.name,
                "state": job.state,
                "ahead": jobs.ahead(job),
                "stage": job.stage,
                "share": job.share,
                "message": job.message,
                "result": job.result,
            },
            headers={"Cache-Control": "no-store"},
        )

    @app.get("/api/videos/{identity}/film.mp4")
    def film(identity: str) -> Response:
        job = jobs.get(identity)
        if job is None or not job.film.is_file():
            return _error(404, "there is no such film here, or no longer")
        return FileResponse(job.film, media_type="video/mp4")

    @app.delete("/api/videos/{identity}")
    def forget(identity: str) -> Response:
        job = jobs.get(identity)
        if job is not None:
            jobs.remove(job)
        return Response(status_code=204)

    return app


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


def _check(job: Job, limits: Limits, trial: Trial) -> None:
    try:
        index = trial.index(job.upload, decode=False)
        seconds = index.duration
        if seconds > limits.seconds:
            raise RefusedError(
                422, f"the video is {seconds:.0f} s long; {limits.seconds:g} s are the most"
            )
        if index.width * index.height > limits.pixels:
            raise RefusedError(
                422, f"frames of {index.width} x {index.height} pixels are too large"
            )
        trial.index(job.upload, decode=True)
    except VideoError as error:
        raise RefusedError(422, f"this is not a video that can be read: {error.reason}") from None


def _error(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status_code=status)
