"""What the training loop takes beyond forward, backward and optimiser step of the same batch.

    python benchmarks/loop_overhead.py                                  # the demonstration's network
    python benchmarks/loop_overhead.py --cfg configs/k400_glore_r50.yaml NUM_GPUS 1
    python benchmarks/loop_overhead.py --cfg configs/k400_glore_r50.yaml NUM_GPUS 1 \
        TRAIN.MIXED_PRECISION True MODEL.CHANNELS_LAST True MODEL.COMPILE all

The loop is the trainer's, with its log lines, metrics file, checks for what is not finite and times
of phases, over a batch that lies ready in memory as uint8, as readers leave it. The bare steps get the same clips ready
on the device, as numbers. Both take turns; ratios are medians over turns.
"""

import argparse
import logging
import statistics
import tempfile
import time
from pathlib import Path

import torch
from results_file import write_results
from torch.nn import functional as F

from glore_video.cli.arguments import Parser, positive
from glore_video.config import Config, load_config
from glore_video.data.batches import Batch, SampleItem, collate
from glore_video.data.samplers import TrainingBatches
from glore_video.engine.cadence import Cadence
from glore_video.engine.launch.processes import Process
from glore_video.engine.precise_batch_norms import BatchNormPolicy
from glore_video.engine.precision import set_fp32_precision
from glore_video.engine.protocols import TrainingData
from glore_video.engine.resume import ResumePoint
from glore_video.engine.run_checkpoints import RunCheckpoints
from glore_video.engine.run_log import MetricsLog
from glore_video.engine.train_step import TrainStep
from glore_video.engine.trainer import Trainer
from glore_video.engine.unreadable import UnreadableSamples
from glore_video.processes.stop_signals import StopSignals
from glore_video.runs.network import build_model
from glore_video.runs.solver import build_schedule
from glore_video.runs.training import build_train_step
from glore_video.tasks.video_classification.task import VideoClassification
from glore_video.tasks.video_classification.task_data import WORDS

CONFIGS = Path(__file__).parents[1] / "configs"


class SameBatch:
    """A loader that gives one batch again and again."""

    num_workers = 0

    def __init__(self, batch: Batch, batches: TrainingBatches) -> None:
        self.batch = batch
        self.batches = batches

    def __iter__(self):
        for _ in range(len(self.batches)):
            yield self.batch


def trainer_of(config: Config, step: TrainStep, batch: Batch, folder: Path, steps: int):
    clips = config.TRAIN.BATCH_SIZE
    order = TrainingBatches(steps * clips, batch_size=clips, seed=0)
    return Trainer(
        train_step=step,
        schedule=build_schedule(config, steps_per_epoch=steps),
        train_data=TrainingData(SameBatch(batch, order), order, None),
        val_data=None,
        val_meter=None,
        words=WORDS,
        process=step.process,
        metrics=MetricsLog(folder, tensorboard=False),
        checkpoints=RunCheckpoints(
            output_dir=folder,
            train_step=step,
            order=order,
            process=step.process,
            words=WORDS,
            keep=0,
            extras={},
        ),
        cadence=Cadence(
            max_epoch=1_000_000,
            eval_period=1_000_000,
            checkpoint_period=1_000_000,
            checkpoint_steps=0,
            log_period=config.LOG_PERIOD,
        ),
        norms=BatchNormPolicy(),
        unreadable=UnreadableSamples(1.0, WORDS),
        seed=0,
    )


def bare_steps(step: TrainStep, clips: torch.Tensor, labels: torch.Tensor, steps: int) -> None:
    for _ in range(steps):
        with step.trials.of(clips):
            with step.precision.autocast():
                logits = step.compiled(clips)
            loss = F.cross_entropy(logits.float(), labels)
            step.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            step.optimizer.step()


def timed(action, device: torch.device) -> tuple[float, float]:
    """Wall and CPU seconds."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", default=str(CONFIGS / "quickstart_same_glore.yaml"))
    parser.add_argument("--rounds", type=positive, default=7)
    parser.add_argument("--steps", type=positive, default=10, help="of a round")
    parser.add_argument("--threads", type=positive, default=1, help="of the CPU")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there")
    parser.add_argument("pairs", metavar="KEY VALUE", nargs="*")
    args = parser.parse_intermixed_args()
    torch.set_num_threads(args.threads)
    logging.getLogger("glore_video").setLevel(logging.ERROR)
    config = load_config(args.cfg, args.pairs)
    device = torch.device("cuda" if config.NUM_GPUS else "cpu")
    process = Process(0, 1, device)
    size = config.DATA.TRAIN_CROP_SIZE
    shape = (config.TRAIN.BATCH_SIZE, 3, config.DATA.NUM_FRAMES, size, size)
    clips = torch.randint(0, 256, shape, dtype=torch.uint8)
    labels = torch.arange(len(clips)) % config.MODEL.NUM_CLASSES
    task = VideoClassification(config)
    batch = collate(
        [SampleItem(clips[i : i + 1], int(labels[i]), i) for i in range(len(clips))],
        interleaved=task.memory_format != torch.contiguous_format,
    )
    if config.NUM_GPUS and config.DATA_LOADER.PIN_MEMORY:
        batch = batch.pin_memory()
    set_fp32_precision(config.TRAIN.FP32_PRECISION)
    step = build_train_step(config, task, build_model(config), process)
    ready = step.normalize(clips, device)
    with tempfile.TemporaryDirectory() as folder, StopSignals() as signals:
        trainer = trainer_of(config, step, batch, Path(folder), args.steps)
        trainer._signals = signals
        on_device = labels.to(device)
        rows: dict[str, list[tuple[float, float]]] = {"bare": [], "loop": []}
        for turn in range(args.rounds + 1):
            step.optimizer.found_inf = step.optimizer.grad_scale = None
            bare = timed(lambda: bare_steps(step, ready, on_device, args.steps), device)
            loop = timed(lambda n=turn: trainer._train_epoch(n, ResumePoint(n)), device)
            if turn:  # the first one warms up
                rows["bare"].append(bare)
                rows["loop"].append(loop)
    print(f"{device.type}, torch {torch.__version__}, {args.cfg}, clips {shape}")
    print(f"{'ms a step':<12}{'wall':>10}{'CPU':>10}")
    medians = {}
    for name, values in rows.items():
        medians[name] = [statistics.median(v) / args.steps for v in zip(*values, strict=True)]
        print(f"{name:<12}{1000 * medians[name][0]:>10.1f}{1000 * medians[name][1]:>10.1f}")
    ratios = [
        statistics.median(
            loop[i] / bare[i] for loop, bare in zip(rows["loop"], rows["bare"], strict=True)
        )
        for i in (0, 1)
    ]
    print(f"{'loop / bare':<12}{ratios[0]:>10.3f}{ratios[1]:>10.3f}   (medians of turns)")
    write_results(
        args.json,
        device,
        (
            {
                "side": name,
                "seconds": wall,
                "cpu_seconds": cpu,
                "clips_per_second": len(clips) / wall,
            }
            for name, (wall, cpu) in medians.items()
        ),
        clips=list(shape),
        ratio=ratios[0],
        cpu_ratio=ratios[1],
    )


if __name__ == "__main__":
    main()
