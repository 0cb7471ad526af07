"""The server: one page, uploads with limits, results as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from glore_video.models import glore_units
from glore_video.serving.analysis import analyse
from glore_video.serving.jobs import Jobs
from glore_video.serving.trial import Trial
from glore_video.serving.uploads import Limits, RefusedError, take
from glore_video.tasks.video_classification.predictor import Predictor

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    "media-src 'self' blob:; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


def create_app(
    predictor: Predictor, limits: Limits | None = None, *, hosts: Sequence[str] = ("*",)
) -> FastAPI:
    """The application, to be run by uvicorn or a test client.

    Args:
        predictor: the network.
        limits: what it takes.
        hosts: names under which it may be called; others are refused, which keeps web pages that
            point a name of theirs at this machine from reading anything.
    """
    limits = limits or Limits()
    jobs = Jobs(
        lambda upload, film, name, report: analyse(
            upload, predictor, film, name=name, report=report
        ),
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
    app.add_exception_handler(RefusedError, _refused)
    page = resources.files("glore_video.serving").joinpath("page.html").read_text("utf-8")

    @app.get("/")
    def show_page() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    @app.get("/api/about")
    def about() -> dict[str, Any]:
        return {
            "weights": Path(predictor.source).name,
            "classes": len(predictor.class_names),
            "units": list(glore_units(predictor.network)),
            "megabytes": limits.megabytes,
            "seconds": limits.seconds,
        }

    @app.post("/api/videos")
    async def receive(request: Request, name: str = "video") -> JSONResponse:
        job = await take(request, Path(name).name[:200] or "video", jobs, limits, trial)
        return JSONResponse({"id": job.id}, status_code=202)

    _add_results(app, jobs)
    return app


def _add_results(app: FastAPI, jobs: Jobs) -> None:
    """What came of the videos, under the names that were given out for them."""

    @app.get("/api/videos/{identity}")
    def state(identity: str) -> JSONResponse:
        job = jobs.get(identity)
        if job is None:
            raise RefusedError(404, "there is no such video here, or no longer")
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
            raise RefusedError(404, "there is no such film here, or no longer")
        return FileResponse(job.film, media_type="video/mp4")

    @app.delete("/api/videos/{identity}")
    def forget(identity: str) -> Response:
        job = jobs.get(identity)
        if job is not None:
            jobs.remove(job)
        return Response(status_code=204)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RefusedError):
        raise error
    return JSONResponse({"error": str(error)}, status_code=error.status)
