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
from glore_video.serving.jobs import Jobs
from glore_video.serving.trial import Trial
from glore_video.serving.uploads import Limits, RefusedError, take
from glore_video.tasks.predictor import Exhibit, Predictor

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    "media-src 'self' blob:; img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
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
    exhibit, word = predictor.exhibit, predictor.kind.word
    jobs = Jobs(
        lambda upload, file, name, report: predictor.show(upload, file, name=name, report=report),
        most=limits.waiting,
        keep_seconds=60 * limits.keep_minutes,
        exhibit=exhibit.file,
        words=predictor.kind.words,
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

    @app.get("/api/page")
    def page_words() -> dict[str, str]:
        return {
            "kind": word,
            "question": exhibit.question,
            "accept": exhibit.accept,
            "file": exhibit.file,
        }

    @app.post(f"/api/{word}s")
    async def receive(request: Request, name: str = word) -> JSONResponse:
        called = Path(name).name[:200] or word
        job = await take(request, called, jobs, limits, trial, predictor)
        return JSONResponse({"id": job.id}, status_code=202)

    _add_results(app, jobs, word, exhibit)
    return app


def _add_results(app: FastAPI, jobs: Jobs, word: str, exhibit: Exhibit) -> None:
    """What came of the files, under the names that were given out for them."""

    @app.get(f"/api/{word}s/{{identity}}")
    def state(identity: str) -> JSONResponse:
        job = jobs.get(identity)
        if job is None:
            raise RefusedError(404, f"there is no such {word} here, or no longer")
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

    @app.get(f"/api/{word}s/{{identity}}/{exhibit.file}")
    def shown(identity: str) -> Response:
        job = jobs.get(identity)
        if job is None or not job.exhibit.is_file():
            raise RefusedError(404, f"there is no such {word} here, or no longer")
        return FileResponse(job.exhibit, media_type=exhibit.media_type)

    @app.delete(f"/api/{word}s/{{identity}}")
    def forget(identity: str) -> Response:
        job = jobs.get(identity)
        if job is not None:
            jobs.remove(job)
        return Response(status_code=204)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RefusedError):
        raise error
    return JSONResponse({"error": str(error)}, status_code=error.status)
