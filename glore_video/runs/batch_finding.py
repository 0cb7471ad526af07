"""The largest TRAIN.BATCH_SIZE for a device's memory: measured on a GPU, estimated on a CPU."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import torch

from glore_video.config import Config
from glore_video.engine.batch_search import largest_batch
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import set_fp32_precision
from glore_video.errors import UsageError
from glore_video.models.deployment.saved_memory import UncountableError
from glore_video.processes.memory import available_memory
from glore_video.runs.memory_errors import lighter_keys
from glore_video.runs.network import build_model, build_precision
from glore_video.runs.step_memory import count_inputs, prepared_for_steps, state_bytes
from glore_video.runs.trial_steps import CpuMeter, GpuMeter, TrialSteps, smallest_batch
from glore_video.tasks import task_of
from glore_video.tasks.protocol import RunTask
from glore_video.tasks.task_base import num_workers

_GIB = 2**30
_USED = 0.92
"""Share of the memory that a step may need; the rest is for validation, and for what lies between tensors."""
_MOST = 4096
"""Samples of a process that are tried at most, where nothing says how many there are."""
_WORTH_MEASURING = 256 * 2**20
"""Bytes of a batch on a CPU that stand out from what a process takes and gives back anyway."""
_CAREFUL = 1.5
"""What a step on a CPU may need, over what is computed, for it to be tried."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Limit:
    """Samples of one process that are tried at most, and why no more, in words."""

    samples: int
    why: str


@dataclass(frozen=True)
class Suggestion:
    """A batch that fits.

    Attributes:
        batch: samples of one process.
        processes: of the run.
        why: how it is known, in words.
    """

    batch: int
    processes: int
    why: str


def find_batch(config: Config, process: Process, *, words: Sequence[str], say: Say = print) -> None:
    """Say what each batch that is tried needs, and the command with the largest that fits.

    Nothing is written and no data are read, but for the number of training samples where it is told.

    Args:
        config: settled.
        process: alone, on the run's first device.
        words: of the command, --find-batch left out.

    Raises:
        UsageError: where not even the smallest batch fits, or the system tells nothing of its memory.
    """
    set_fp32_precision(config.TRAIN.FP32_PRECISION)
    find = _on_gpu if process.device.type == "cuda" else _on_cpu
    found = find(config, process, _limit(config), say)
    say(_suggestion(config, found, words))


def _on_gpu(config: Config, process: Process, limit: Limit, say: Say) -> Suggestion:
    meter = GpuMeter(process.device)
    steps = TrialSteps(config, process, meter)
    _ = steps.train_step
    room = meter.room()
    say(
        f"largest batch for {process.device} ({torch.cuda.get_device_name(process.device)}), "
        f"{room / _GIB:.1f} GiB free; each is trained on for two steps"
    )
    return _measured(config, steps, limit=limit, room=room, say=say)


def _measured(
    config: Config, steps: Callable[[int], int | None], *, limit: Limit, room: int, say: Say
) -> Suggestion:
    """By trying, in room bytes."""
    words = task_of(config).words
    # DistributedDataParallel keeps gradients a second time, in its buckets.
    more = _gradients(config) if config.NUM_GPUS > 1 else 0

    ran: list[int] = []

    def needs(batch: int) -> int | None:
        if config.MIXUP.ENABLE and batch * config.AUG.NUM_SAMPLE < 2:
            return None  # it mixes in pairs
        name = f"{batch:>6} {words.sample if batch == 1 else words.samples}"
        try:
            needed = steps(batch)
        except RuntimeError as error:
            if not ran:
                raise
            # Kernels have limits too, as of sizes that 32 bits count.
            say(f"{name}: does not run: {str(error).strip().partition(chr(10))[0]}")
            return None
        if needed is None:
            say(f"{name}: more than there is")
            return None
        ran.append(batch)
        say(f"{name}: {(needed + more) / _GIB:.2f} GiB")
        return needed + more

    batch = largest_batch(
        needs, step=smallest_batch(config), limit=limit.samples, room=int(_USED * room)
    )
    if not batch:
        _refuse(config, f"{_USED * room / _GIB:.1f} GiB ({_USED:.0%} of what is free)")
    why = f"fit with {1 - _USED:.0%} of the memory left{_at_limit(config, batch, limit)}"
    return Suggestion(batch, max(1, config.NUM_GPUS), why)


def _on_cpu(config: Config, process: Process, limit: Limit, say: Say) -> Suggestion:
    """By the memory of two small batches, and what is left of the machine's."""
    meter = CpuMeter()
    free = available_memory()
    try:
        now = meter.now()
    except (OSError, ValueError):
        free = None
    if free is None:
        raise UsageError(
            "--find-batch: this system does not tell how much memory is free (Linux does, in "
            "/proc/meminfo); on a GPU it would be measured"
        )
    processes = config.CPU_PROCESSES
    room = now + int(_USED * free) // processes
    say(
        f"an estimate of the largest batch for {free / _GIB:.1f} GiB of free memory"
        + (f", of {processes} processes" if processes > 1 else "")
    )
    line = _line(config, process, meter, room, say)
    words = task_of(config).words
    batch = largest_batch(line, step=smallest_batch(config), limit=limit.samples, room=room)
    if not batch:
        _refuse(config, f"the {_USED:.0%} of free memory that a process may take")
    say(f"{batch:>6} {words.samples}: {line(batch) / _GIB:.2f} GiB, estimated")
    left = f"{1 - _USED:.0%} of the memory left, an estimate{_at_limit(config, batch, limit)}"
    return Suggestion(batch, processes, f"should fit with {left}")


def _at_limit(config: Config, batch: int, limit: Limit) -> str:
    return f"; {limit.why}" if batch + smallest_batch(config) > limit.samples else ""


def _line(
    config: Config, process: Process, meter: CpuMeter, room: int, say: Say
) -> Callable[[int], int]:
    """Bytes of a process by its batch: a straight line through two batches that were measured.

    A line through what is computed where the machine might not have the memory to measure.
    """
    words, step = task_of(config).words, smallest_batch(config)
    fixed, each = _computed(config)
    now, waiting = meter.now(), _waiting_bytes(config)

    def computed(batch: int) -> int:
        return int(now + _CAREFUL * (fixed + batch * each) + batch * waiting)

    # Not one: a batch norm behind a pooling refuses a single input.
    least = step if step > 1 else 2
    small = max(least, step * math.ceil(_WORTH_MEASURING / step / each)) if each else least
    while small > least and computed(2 * small) > room:
        small = max(least, small // 2 // step * step)
    if computed(2 * small) > room:
        say("computed, not measured, which could take more memory than is free")
        return computed
    steps = TrialSteps(config, process, meter)
    points = []
    for batch in (small, 2 * small):
        needed = steps(batch)
        if needed is None:
            _refuse(config, "the machine's memory")
        say(f"{batch:>6} {words.sample if batch == 1 else words.samples}: {needed / _GIB:.2f} GiB")
        points.append(needed)
    # What is given back to the system late hides some of it; what is computed is needed for certain.
    slope = max((points[1] - points[0]) / small, each)
    return lambda batch: int(points[1] + (batch - 2 * small) * slope + batch * waiting)


def _computed(config: Config) -> tuple[int, int]:
    """Bytes of a step on the CPU, and of each sample in it; 0 where they can't be computed."""
    model = build_model(config)
    prepared_for_steps(config, model)
    amp_dtype = build_precision(config, torch.device("cpu")).amp_dtype
    try:
        saved = count_inputs(config, model, amp_dtype=amp_dtype, device="cpu")
    except UncountableError:
        return 0, 0
    each = saved.each * config.AUG.NUM_SAMPLE // config.TRAIN.ACCUMULATION_STEPS
    return saved.fixed + state_bytes(config, model), each + _input_bytes(config)


def _input_bytes(config: Config) -> int:
    """Of a sample: pixels as float32, and as they are read."""
    return 5 * math.prod(task_of(config).input_shape) * config.AUG.NUM_SAMPLE


def _waiting_bytes(config: Config) -> int:
    """Of a sample, over all batches that reading processes hold ready: two each."""
    return 2 * num_workers(config) * _input_bytes(config) // 5


def _gradients(config: Config) -> int:
    model = build_model(config)
    return sum(p.numel() * p.element_size() for p in model.parameters())


def _limit(config: Config) -> Limit:
    """As many samples as there are, if data are there already."""
    task, length = task_of(config), None
    if config.DATA.PATH_TO_DATA_DIR:
        with suppress(UsageError, OSError):
            length = task.training_length()
    processes = max(1, config.NUM_GPUS or config.CPU_PROCESSES)
    if isinstance(length, int) and length >= processes * smallest_batch(config):
        return Limit(length // processes, f"there are {length} {task.words.samples} to train on")
    return Limit(max(_MOST, smallest_batch(config)), "more were not tried")


def _refuse(config: Config, room: str) -> NoReturn:
    task: RunTask = task_of(config)
    smallest = smallest_batch(config)
    words = task.words.sample if smallest == 1 else task.words.samples
    ways = [way for way in lighter_keys(config) if not way.startswith("TRAIN.ACC")]
    raise UsageError(
        f"not even {smallest} {words} a process fit into {room}: "
        f"{', '.join([*ways, f'less of {task.input_keys}'])} take less"
    )


def _suggestion(config: Config, found: Suggestion, words: Sequence[str]) -> str:
    """What fits, and the command that takes it."""
    task, total = task_of(config), found.batch * found.processes
    samples = task.words.sample if found.batch == 1 else task.words.samples
    lines = [f"{found.batch} {samples} a process {found.why}"]
    if found.processes > 1:
        kind = "NUM_GPUS" if config.NUM_GPUS else "CPU_PROCESSES"
        lines.append(
            f"TRAIN.BATCH_SIZE is over all: {found.batch} x {kind} {found.processes} = {total}"
        )
    pairs = {"TRAIN.BATCH_SIZE": str(total)}
    solver, batch = config.SOLVER, config.TRAIN.BATCH_SIZE
    if solver.BASE_LR_BATCH:
        lines.append(
            f"learning rates follow the batch: SOLVER.BASE_LR {solver.BASE_LR:g} is for "
            f"SOLVER.BASE_LR_BATCH {solver.BASE_LR_BATCH}"
        )
    elif total != batch:
        pairs["SOLVER.BASE_LR_BATCH"] = str(batch)
        lines.append(
            f"SOLVER.BASE_LR {solver.BASE_LR:g} is for TRAIN.BATCH_SIZE {batch}: SOLVER.BASE_LR_BATCH "
            f"{batch} multiplies it by {total / batch:.4g}"
        )
    return "\n".join([*lines, f"  {_command(words, pairs)}"])


def _command(words: Sequence[str], pairs: dict[str, str]) -> str:
    """The command with other values of these keys."""
    kept: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in pairs and rest:
            rest.pop(0)
        else:
            kept.append(word)
    new = [word for pair in pairs.items() for word in pair]
    return shlex.join([*kept, *new])
