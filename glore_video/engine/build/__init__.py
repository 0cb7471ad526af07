"""Config -> networks, data sets, loaders, trainer: beside cli.py the only code that sees a Config."""

from glore_video.engine.build.data import (
    RunData,
    build_test_loader,
    build_test_views,
    build_train_loader,
    build_val_loader,
    build_watchdog,
    clip_sampling,
    eval_short_side,
    has_split,
    load_data,
    load_list,
    load_names,
    num_workers,
    render_synthetic,
    training_batches,
)
from glore_video.engine.build.model import (
    build_model,
    build_precision,
    build_preprocessing,
    check_tested_classes,
    checkpoint_to_test,
    load_initial_weights,
    load_test_weights,
)
from glore_video.engine.build.resuming import Resumed, check_resumable
from glore_video.engine.build.settling import count_classes, settled
from glore_video.engine.build.solver import build_groups, build_schedule, build_solver, lr_scale
from glore_video.engine.build.training import (
    build_trainer,
    build_update,
    check_batch,
    clips_a_step,
)

__all__ = [
    "Resumed",
    "RunData",
    "build_groups",
    "build_model",
    "build_precision",
    "build_preprocessing",
    "build_schedule",
    "build_solver",
    "build_test_loader",
    "build_test_views",
    "build_train_loader",
    "build_trainer",
    "build_update",
    "build_val_loader",
    "build_watchdog",
    "check_batch",
    "check_resumable",
    "check_tested_classes",
    "checkpoint_to_test",
    "clip_sampling",
    "clips_a_step",
    "count_classes",
    "eval_short_side",
    "has_split",
    "load_data",
    "load_initial_weights",
    "load_list",
    "load_names",
    "load_test_weights",
    "lr_scale",
    "num_workers",
    "render_synthetic",
    "settled",
    "training_batches",
]
