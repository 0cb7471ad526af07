"""A whole run: check, train, test; or only say what it would do."""

from __future__ import annotations

import logging
import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch

from glore_video.config import Config, flatten, to_yaml
from glore_video.data.video.video_list import VideoList
from glore_video.engine.checkpoint import BEST_NAME, checkpoint_path, last_checkpoint
from glore_video.engine.launch.processes import Process
from glore_video.engine.optimizer import group_table
from glore_video.engine.output_dir import FolderLock, InUseError, set_aside, waited_for
from glore_video.engine.record_shards import ScoreParts
from glore_video.engine.run_log import MetricsLog, setup_logging
from glore_video.engine.tester import (
    fingerprint_of_test,
    model_costs,
    sample_frames,
    score_videos,
)
from glore_video.errors import UsageError
from glore_video.files.whole_files import replace_file
from glore_video.models import count_complexity
from glore_video.runs.network import (
    build_model,
    build_normalize,
    build_precision,
    checkpoint_to_test,
    load_initial_weights,
    load_test_weights,
)
from glore_video.runs.preparation import prepare
from glore_video.runs.solver import build_groups, lr_scale
from glore_video.runs.training import build_trainer, clips_a_step
from glore_video.tasks.classification import Summary, ViewPlan, summarize, write_results
from glore_video.tasks.classification.metrics import top5_tells
from glore_video.tasks.classification.report import write_report
from glore_video.tasks.video_classification.task_data import (
    RunData,
    build_test_loader,
    build_test_views,
    clip_sampling,
    load_data,
    load_list,
)
from glore_video.video import span

logger = logging.getLogger(__name__)


@contextmanager
def accepted(
    config: Config, *, doing: Callable[[str], None], world_size: int | None = None
) -> Iterator[None]:
    """Within it, OUTPUT_DIR is this run's, which has passed all checks; the log goes there.

    A run that is refused writes nothing there. One that trains keeps others from training there
    until the end; one that starts anew moves what an earlier run has left aside.

    Args:
        doing: is told what is done at each moment.
        world_size: as `prepare` has it.
    """
    folder = Path(config.OUTPUT_DIR)
    with FolderLock(folder) as lock:
        if config.TRAIN.ENABLE:
            _take(lock, create=False)  # to say at once that another run is there
        prepare(config, doing=doing, world_size=world_size)
        if config.TRAIN.ENABLE:
            _take(lock, create=True)
            if not config.TRAIN.AUTO_RESUME or _ended_before_a_checkpoint(folder):
                set_aside(folder)
        setup_logging(folder, is_main=True)
        yield


def _ended_before_a_checkpoint(folder: Path) -> bool:
    """Whether a run trained here whose metrics and best weights are all that it left."""
    trained = (folder / "metrics.jsonl").exists() or (folder / "checkpoints").exists()
    return trained and last_checkpoint(folder) is None


def _take(lock: FolderLock, *, create: bool) -> None:
    try:
        lock.take(create=create)
    except InUseError as error:
        raise UsageError(
            f"OUTPUT_DIR = {lock.folder}: {error}: two runs can't train there at once; end that one "
            "or choose another OUTPUT_DIR"
        ) from None


def check_settings(config: Config) -> None:
    """Raises ValueError for a run that does nothing, or whose OUTPUT_DIR can't be a folder."""
    if not config.TRAIN.ENABLE and not config.TEST.ENABLE:
        raise UsageError(
            "TRAIN.ENABLE = False and TEST.ENABLE = False: there is nothing to do; one must be True"
        )
    if not config.OUTPUT_DIR.strip():
        raise UsageError("OUTPUT_DIR is empty: the folder for what the run leaves is expected")
    for path in (Path(config.OUTPUT_DIR), *Path(config.OUTPUT_DIR).absolute().parents):
        if path.exists():
            if not path.is_dir():
                raise UsageError(
                    f"OUTPUT_DIR = {config.OUTPUT_DIR}: {path} is a file, not a folder"
                )
            if not os.access(path, os.W_OK):
                raise UsageError(f"OUTPUT_DIR = {config.OUTPUT_DIR}: {path} can't be written to")
            return


def train_and_test(config: Config, process: Process) -> Summary | None:
    """Train and test as TRAIN.ENABLE and TEST.ENABLE say.

    Returns:
        The test's summary on the main process; None on others, or if nothing is tested.
    """
    output_dir = Path(config.OUTPUT_DIR)
    process.doing("reading the lists of videos")
    data = load_data(config)
    for videos in (data.train, data.val):
        if videos is not None and videos.left_out:
            logger.warning("%s: %d videos are left out", videos.source, len(videos.left_out))
    for videos in (data.train, data.val, data.test) if process.is_main else ():
        if videos is not None:
            for note in videos.notes:
                logger.warning("%s", note)
            _warn_of_repeated(videos)
    with MetricsLog(
        output_dir, tensorboard=config.TENSORBOARD.ENABLE, enabled=process.is_main
    ) as metrics:
        if config.TRAIN.ENABLE:
            if process.is_main:
                _write_config(config, output_dir)
            process.doing("building the network")
            torch.manual_seed(config.RNG_SEED)
            model = build_model(config)
            load_initial_weights(config, model)
            trainer = build_trainer(config, data, model, process, metrics)
            logger.info(
                "training %s on %d videos, %d steps of %d clips an epoch, %s",
                *(
                    config.MODEL.NAME or config.MODEL.ARCH,
                    len(data.train or ()),
                    trainer.batches.batches_an_epoch,
                ),
                *(clips_a_step(config), _processes(process)),
            )
            trainer.train(auto_resume=config.TRAIN.AUTO_RESUME)
        if not config.TEST.ENABLE:
            return None
        if not process.is_main:
            return _test(config, data, process, metrics)
        with waited_for(output_dir / "test", process.doing):
            _write_config(config, output_dir / "test")
            return _test(config, data, process, metrics)


def _write_config(config: Config, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "config.yaml", to_yaml(config).encode())


def _test(config: Config, data: RunData, process: Process, metrics: MetricsLog) -> Summary | None:
    if data.test is None:
        raise AssertionError("testing needs its list")
    start = time.perf_counter()
    process.doing("reading the weights to test")
    checkpoint = checkpoint_to_test(config)
    model = build_model(config)
    load_test_weights(config, model, checkpoint)
    model.to(process.device)
    views = build_test_views(config, data.test)
    num_views = views.num_clips * views.num_crops
    logger.info("testing %s on %d videos, %d views each", checkpoint, len(data.test), num_views)
    best = checkpoint_path(config.OUTPUT_DIR, 0).with_name(BEST_NAME)
    if checkpoint == last_checkpoint(config.OUTPUT_DIR) and best.is_file():
        logger.info(
            "it is the run's last one; TRAIN.ENABLE False TEST.CHECKPOINT_FILE_PATH %s tests the one "
            "that was best in validation",
            shlex.quote(str(best)),
        )
    folder = Path(config.OUTPUT_DIR) / "test"
    parts = ScoreParts(
        folder / "parts",
        fingerprint_of_test(
            {key: value for key, value in flatten(config) if _changes_scores(key)},
            checkpoint,
            data.test,
            process,
        ),
    )

    try:
        scores = score_videos(
            model,
            partial(build_test_loader, config, views),
            data.test,
            num_views=num_views,
            num_classes=config.MODEL.NUM_CLASSES,
            batch_size=max(1, config.TEST.BATCH_SIZE // process.world_size),
            preprocessing=build_normalize(config),
            precision=build_precision(config, process.device),
            process=process,
            parts=parts,
        )
    except KeyboardInterrupt:
        again = config.TRAIN.ENABLE and not config.TRAIN.AUTO_RESUME
        logger.warning(
            "the test is stopped; %s goes on from here",
            "TRAIN.ENABLE False" if again else "the same command",
        )
        raise
    if scores is None:
        return None
    process.doing("writing the results of the test")
    for path, reason in scores.failed:
        logger.warning("not scored, unreadable: %s: %s", path, reason)
    for path, reason in scores.left_out:
        logger.warning("not scored, left out by the manifest: %s: %s", path, reason)
    summary = summarize(scores, num_views)
    saved = write_results(
        folder,
        scores,
        summary,
        class_names=data.class_names,
        plan=ViewPlan(
            clips=views.num_clips,
            crops=views.num_crops,
            spacing=views.spacing,
            short_side=views.short_side,
        ),
        seconds=time.perf_counter() - start,
        checkpoint=str(checkpoint),
        extras=model_costs(
            model, num_frames=config.DATA.NUM_FRAMES, crop_size=config.DATA.TEST_CROP_SIZE
        ),
    )
    parts.remove()
    if summary.videos_scored:
        top5 = ""
        if top5_tells(config.MODEL.NUM_CLASSES):
            top5 = f"top-5 {summary.video_top5:.2f}%, "
        metrics.write("test", step=0, **vars(summary))
        logger.info(
            "test: video top-1 %.2f%%, %ssingle clip top-1 %.2f%% "
            "(%d of %d videos, %d views each); results in %s",
            *(summary.video_top1, top5, summary.clip_top1),
            *(summary.videos_scored, summary.videos_expected, num_views, folder),
        )
        if summary.videos_not_finite:
            logger.warning("%s; %s names them", _not_finite(summary), folder / "summary.json")
    write_report(
        folder,
        scores=saved,
        frames_of=partial(sample_frames, backend=config.DATA.DECODING_BACKEND),
    )
    if not summary.videos_scored:
        raise UsageError(f"none of the {summary.videos_expected} test videos could be read")
    if summary.videos_not_finite == summary.videos_scored:
        raise UsageError(f"{checkpoint}: {_not_finite(summary)}")
    return summary


def _not_finite(summary: Summary) -> str:
    return (
        f"the network's scores of {summary.videos_not_finite} of {summary.videos_scored} test "
        "videos are not finite: its weights or statistics may have diverged, or half precision "
        "does not hold what it computes (TRAIN.MIXED_PRECISION)"
    )


def _warn_of_repeated(videos: VideoList) -> None:
    seen: set[int] = set()  # hashes: a fraction of the memory of paths
    repeated = []
    for place in range(len(videos)):
        path = hash(videos.path(place))
        if path in seen:
            repeated.append(place)
        seen.add(path)
    if repeated:
        logger.warning(
            "%s lists %d videos again, %s among them: each line counts, in training and in accuracies",
            *(videos.source, len(repeated), videos.path(repeated[0])),
        )


def _changes_scores(key: str) -> bool:
    """Whether the logits of a test may depend on this key; at most rounding depends on others."""
    section, _, name = key.rpartition(".")
    if section == "TRAIN":
        return name in ("MIXED_PRECISION", "AMP_DTYPE")
    if section in ("SOLVER", "BN", "TENSORBOARD", "DATA_LOADER", "SYNTHETIC", "AUG", "MIXUP", ""):
        return False
    if section == "TEST":
        return name not in ("ENABLE", "DATASET", "BATCH_SIZE", "CHECKPOINT_FILE_PATH")
    return not name.startswith(("PATH_", "CLASS_NAMES_PATH", "MAX_BAD_FRACTION"))


def describe_run(config: Config) -> str:
    """The resolved config and what follows from it, without training or testing anything."""
    data = config.DATA
    model = build_model(config)
    lines = [to_yaml(config)]
    for name, size in (("training", data.TRAIN_CROP_SIZE), ("test", data.TEST_CROP_SIZE)):
        counted = count_complexity(model, (3, data.NUM_FRAMES, size, size))
        lines.append(
            f"{name + ' clip:':<16}{data.NUM_FRAMES} x {size} x {size}, {counted.gmacs:.2f} GMACs"
        )
        for left_out in counted.skipped_ops:
            lines.append(f"{'':<16}not counted: {left_out}")
    views = config.TEST.NUM_ENSEMBLE_VIEWS * config.TEST.NUM_SPATIAL_CROPS
    lines.append(f"{'views a video:':<16}{views}")
    lines.append(f"{'parameters:':<16}{counted.parameters / 1e6:.2f} M")
    fps = Fraction(str(data.TARGET_FPS)) if data.TARGET_FPS else Fraction(30)
    seconds = float(span(clip_sampling(config), fps) / fps)
    basis = "" if data.TARGET_FPS else " of a 30 fps video"
    lines.append(f"{'clip span:':<16}{seconds:.2f} s{basis}")
    lines.append(f"{'an epoch:':<16}{_steps(config)}")
    rate = lr_scale(config) * config.SOLVER.BASE_LR
    lines.append(f"{'learning rate:':<16}{rate:g} ({config.SOLVER.OPTIMIZING_METHOD})")
    lines.append(group_table(build_groups(config, model)))
    return "\n".join(lines)


def _steps(config: Config) -> str:
    if not config.DATA.PATH_TO_DATA_DIR:
        return "DATA.PATH_TO_DATA_DIR is empty, so its length is not known"
    videos = config.SYNTHETIC.NUM_TRAIN
    if config.SYNTHETIC.LABELS == "none":
        try:
            videos = len(load_list(config, "train"))
        except FileNotFoundError as error:
            return f"not known: {error}"
    batch, clips = config.TRAIN.BATCH_SIZE, clips_a_step(config)
    few = "" if videos >= batch else f" (too few videos for TRAIN.BATCH_SIZE = {batch})"
    return f"{videos} videos, {videos // batch} steps of {clips} clips{few}"


def _processes(process: Process) -> str:
    one, several = (
        ("GPU", "GPUs") if process.device.type == "cuda" else ("CPU process", "CPU processes")
    )
    return f"{process.world_size} {one if process.world_size == 1 else several}"
