"""Uploads that wait for the one thread that runs the network, and what came of them."""

from __future__ import annotations

import logging
import queue
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from glore_video.errors import SampleError, UsageError

logger = logging.getLogger(__name__)

Work = Callable[[Path, Path, str, Callable[[str, float], None]], dict[str, Any]]
"""work(upload, file to write for browsers, name, report) -> what the page shows."""


class FullError(RuntimeError):
    """No more files are taken for now."""


@dataclass
class Job:
    """One file.

    Attributes:
        id: unguessable.
        name: of the file, as the user calls it.
        folder: its own; holds the upload until it was looked at.
        exhibit: in it, what browsers show.
        state: where it stands; a failed one has a `message`.
        stage, share: what is being done, and how much of it is, 0..1.
        result: of a done one.
        ended: `time.monotonic()` when it was done or failed.
    """

    id: str
    name: str
    folder: Path
    exhibit: Path
    state: Literal["uploading", "waiting", "running", "done", "failed"] = "uploading"
    stage: str = ""
    share: float = 0.0
    message: str = ""
    result: dict[str, Any] | None = None
    ended: float = field(default=0.0, repr=False)

    @property
    def upload(self) -> Path:
        return self.folder / "upload"


class Jobs:
    """Takes files in, has `work` done on them one after the other, and forgets them later.

    Args:
        work: runs in a thread of its own.
        most: files that may be uploading, waiting and running at a time.
        keep_seconds: how long results stay after they are there.
        exhibit: name of the file that work writes.
        words: what the files are, for messages.
    """

    def __init__(
        self,
        work: Work,
        *,
        most: int = 20,
        keep_seconds: float = 1800.0,
        exhibit: str = "film.mp4",
        words: str = "videos",
    ) -> None:
        self._work = work
        self._most = most
        self._keep_seconds = keep_seconds
        self._exhibit = exhibit
        self._words = words
        self._root = Path(tempfile.mkdtemp(prefix="glore-video-"))
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._waiting: queue.Queue[Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._thread.start()

    def new(self, name: str) -> Job:
        """A place for a file that is about to be uploaded. Raises FullError if there is none."""
        self._forget_old()
        with self._lock:
            busy = [job for job in self._jobs.values() if job.state not in ("done", "failed")]
            if len(busy) >= self._most:
                raise FullError(f"{len(busy)} {self._words} are waiting already; try again later")
            identity = secrets.token_urlsafe(16)
            folder = self._root / identity
            job = Job(identity, name, folder, folder / self._exhibit)
            job.folder.mkdir()
            self._jobs[identity] = job
        return job

    def submit(self, job: Job) -> None:
        """Its upload is whole: put it in the line."""
        job.state = "waiting"
        self._waiting.put(job)

    def get(self, identity: str) -> Job | None:
        self._forget_old()
        return self._jobs.get(identity)

    def ahead(self, job: Job) -> int:
        """How many come before a waiting one."""
        if job.state != "waiting":
            return 0
        with self._lock:
            line = [j for j in self._jobs.values() if j.state in ("waiting", "running")]
        return line.index(job) if job in line else 0

    def remove(self, job: Job) -> None:
        """Forget a job and delete its files; a running one is forgotten when it has ended."""
        with self._lock:
            self._jobs.pop(job.id, None)
        if job.state != "running":
            shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """Stop taking from the line and delete everything."""
        with self._lock:
            self._jobs.clear()
        self._waiting.put(None)
        self._thread.join(timeout=5)
        shutil.rmtree(self._root, ignore_errors=True)

    @property
    def root(self) -> Path:
        return self._root

    def _run(self) -> None:
        while True:
            try:
                job = self._waiting.get(timeout=min(30.0, self._keep_seconds))
            except queue.Empty:
                self._forget_old()
                continue
            if job is None:
                return
            if self._jobs.get(job.id) is job:
                self._do(job)

    def _do(self, job: Job) -> None:
        def report(stage: str, share: float) -> None:
            job.stage, job.share = stage, share

        job.state = "running"
        try:
            job.result = self._work(job.upload, job.exhibit, job.name, report)
        except SampleError as error:
            job.message = error.reason
        except UsageError as error:  # of the network: its scores are not finite, say
            logger.error("%s", error)
            job.message = str(error).replace(str(job.upload), job.name)
        except Exception as error:  # one bad file must not end the server
            logger.exception("%s", job.name)
            job.message = f"{type(error).__name__}: {error}".replace(str(job.upload), job.name)
        finally:
            job.upload.unlink(missing_ok=True)
        job.ended = time.monotonic()
        job.state = "failed" if job.result is None else "done"
        if job.id not in self._jobs:
            shutil.rmtree(job.folder, ignore_errors=True)

    def _forget_old(self) -> None:
        limit = time.monotonic() - self._keep_seconds
        with self._lock:
            old = [job for job in self._jobs.values() if job.ended and job.ended < limit]
        for job in old:
            self.remove(job)
