"""What a run would do: its configuration and what follows from it."""

from __future__ import annotations

from glore_video.config import Config, to_yaml
from glore_video.engine.optimizer import group_table
from glore_video.models import count_complexity
from glore_video.runs.network import build_model
from glore_video.runs.solver import build_groups, lr_scale
from glore_video.runs.training import samples_per_step
from glore_video.tasks import task_of
from glore_video.tasks.protocol import RunTask


def describe_run(config: Config) -> str:
    """The resolved config and what follows from it, without training or testing anything."""
    model, task = build_model(config), task_of(config)
    lines = [to_yaml(config)]
    for name, shape in task.shapes().items():
        counted = count_complexity(model, shape)
        size = " x ".join(map(str, shape[1:]))
        lines.append(_line(name, f"{size}, {counted.gmacs:.2f} GMACs"))
        lines += [_line("", f"not counted: {left_out}") for left_out in counted.skipped_ops]
    lines.append(_line("parameters", f"{counted.parameters / 1e6:.2f} M"))
    lines += [_line(name, value) for name, value in task.facts().items()]
    lines.append(_line("an epoch", _steps(config, task)))
    rate = lr_scale(config) * config.SOLVER.BASE_LR
    lines.append(_line("learning rate", f"{rate:g} ({config.SOLVER.OPTIMIZING_METHOD})"))
    lines.append(group_table(build_groups(config, model)))
    return "\n".join(lines)


def _line(name: str, value: str) -> str:
    return f"{name + ':' if name else '':<15} {value}"


def _steps(config: Config, task: RunTask) -> str:
    length = task.training_length()
    if isinstance(length, str):
        return length
    batch, inputs = config.TRAIN.BATCH_SIZE, samples_per_step(config)
    words = task.words
    few = "" if length >= batch else f" (too few {words.samples} for TRAIN.BATCH_SIZE = {batch})"
    return f"{length} {words.samples}, {length // batch} steps of {inputs} {words.inputs}{few}"
