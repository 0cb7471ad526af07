"""Multi-view testing: every video of the list once, all its views from one decoding."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from glore_video.choices import Backend
from glore_video.data.samples import Failure
from glore_video.data.video.video_list import VideoList
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.record_shards import ScoreParts
from glore_video.engine.run_log import progress
from glore_video.engine.threads import choose_threads, trial_length
from glore_video.errors import UsageError
from glore_video.models import count_complexity
from glore_video.models.units.idle_units import refuse_idle_units
from glore_video.pixels.normalize import Normalize
from glore_video.tasks.classification import Scores
from glore_video.tasks.video_classification.dataset import VideoViews
from glore_video.video import open_video

logger = logging.getLogger(__name__)


@torch.no_grad()
def score_views(
    model: nn.Module,
    views: VideoViews,
    *,
    batch_size: int,
    preprocessing: Normalize,
    precision: Precision,
) -> Tensor:
    """Logits of all views of one video, float32 (views, classes), on the CPU.

    Raises UsageError if the network has inserted units that it does not run.
    """
    logits = []
    for clips in views.batches(batch_size):
        with precision.autocast():
            logits.append(model(preprocessing(clips, precision.device)).float())
        refuse_idle_units(model)
    return torch.cat(logits).cpu()


def score_videos(
    model: nn.Module,
    load: Callable[[Sequence[int]], DataLoader[Any]],
    videos: VideoList,
    *,
    num_views: int,
    num_classes: int,
    batch_size: int,
    preprocessing: Normalize,
    precision: Precision,
    process: Process,
    parts: ScoreParts,
) -> Scores | None:
    """Score this process' videos, then put all processes' together, in the order of the list.

    Videos that a killed test of the same fingerprint has scored are not scored again; those that
    it could not read are tried once more.

    Args:
        load: makes a loader of the ViewsItem of the videos at these places of the list.
        num_views: views of each video.
        batch_size: views a forward pass of this process.
        parts: where scores are kept until the test is done; the caller removes them.

    Returns:
        The scores of the whole list on the main process, None on the others.
    """
    model.eval()
    score = partial(
        score_views,
        model,
        batch_size=batch_size,
        preprocessing=preprocessing,
        precision=precision,
    )
    done = set(process.gather(parts.finished() if process.is_main else [])[0])
    if done:
        logger.info("going on: %d of %d videos are scored already", len(done), len(videos))
    left = [index for index in range(len(videos)) if index not in done]
    own = left[process.rank :: process.world_size]
    if most := process.most_threads:

        def trial_steps() -> Generator[None, None, None]:
            for item in load(own[: trial_length(most)]):
                process.doing("timing videos")
                if item.views is not None:
                    score(item.views)
                    yield

        choose_threads(
            trial_steps(),
            most=most,
            steps_to_come=len(left) // process.world_size,
            gather=process.gather,
        )
    initial = len(done) // process.world_size
    failed: list[tuple[int, Failure]] = []
    items = progress(
        load(own), total=initial + len(own), initial=initial, name="test", is_main=process.is_main
    )
    try:
        for item in items:
            process.doing("testing")
            if item.views is None:
                failed.extend((item.index, failure) for failure in item.failures)
                continue
            parts.add(item.index, score(item.views).numpy())
    finally:
        parts.flush()
    all_failed = sorted(failure for part in process.gather(failed) for failure in part)
    if not process.is_main:
        return None
    _wait_for(parts, len(videos) - len({index for index, _ in all_failed}))
    indices, logits = parts.collect(views=num_views, classes=num_classes)
    return Scores(
        logits=logits,
        labels=videos.labels[indices],
        paths=tuple(videos.path(index) for index in indices.tolist()),
        failed=tuple(failure for _, failure in all_failed),
        left_out=videos.left_out,
    )


def _wait_for(parts: ScoreParts, videos: int, *, seconds: float = 60.0) -> None:
    """Until the scores of so many videos are to be seen: a network disk may show files late.

    Raises UsageError if they are not after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while len(parts.finished()) < videos:
        if time.monotonic() > deadline:
            raise UsageError(
                f"{parts.folder} holds the scores of {len(parts.finished())} videos, {videos} were "
                "scored; do all processes see this folder? The same command goes on from here"
            )
        time.sleep(0.5)


def fingerprint_of_test(
    settings: Mapping[str, Any], checkpoint: Path | str, videos: VideoList, process: Process
) -> dict[str, Any]:
    """What the scores of a test depend on, the same on all processes.

    Args:
        settings: plain values of the configuration.
        checkpoint: whose content counts; of a URL, its text.
    """
    if not process.is_main:
        return process.gather(None)[0]
    weights = str(checkpoint)
    if isinstance(checkpoint, Path):
        with checkpoint.open("rb") as file:
            weights = _digest(iter(lambda: file.read(1 << 20), b""))
    labels = videos.labels.tobytes()
    listed = _digest([*(os.fsencode(path) + b"\0" for path in videos.paths()), labels])
    versions = {"torch": torch.__version__, "device": process.device.type}
    return process.gather({"weights": weights, "list": listed, **versions, **settings})[0]


def sample_frames(path: str, *, backend: Backend = "pyav", count: int = 3) -> np.ndarray:
    """Frames spread over the time of a video, uint8 (count, height, width, 3). Raises VideoError."""
    with open_video(path, backend=backend, damaged="use_prefix") as video:
        times = video.times
        middles = [times.duration * (2 * n + 1) / (2 * count) for n in range(count)]
        return video.frames([times.shown_at(each) for each in middles]).numpy()


def model_costs(model: nn.Module, *, num_frames: int, crop_size: int) -> dict[str, float]:
    """What summary.json says of a network: `parameters`, and `gmacs` of one view."""
    counted = count_complexity(model, (3, num_frames, crop_size, crop_size))
    return {"parameters": counted.parameters, "gmacs": round(counted.gmacs, 4)}


def _digest(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
