"""What a run would do: its configuration and what follows from it."""

from __future__ import annotations

from fractions import Fraction

from glore_video.config import Config, to_yaml
from glore_video.engine.optimizer import group_table
from glore_video.models import count_complexity
from glore_video.runs.network import build_model
from glore_video.runs.solver import build_groups, lr_scale
from glore_video.runs.training import samples_per_step
from glore_video.tasks.video_classification.task_data import clip_sampling, load_list
from glore_video.video import span


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
    batch, clips = config.TRAIN.BATCH_SIZE, samples_per_step(config)
    few = "" if videos >= batch else f" (too few videos for TRAIN.BATCH_SIZE = {batch})"
    return f"{videos} videos, {videos // batch} steps of {clips} clips{few}"
