"""A task without any files, for tests of the engine: classes of vectors, some of them ignored.

A sample is a vector (3, 4) of bytes whose class shows in its brightness. A target is (positions,),
as masks have them: IGNORED ones count neither in the loss nor in its weight.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from glore_video.data.batches import SampleItem, collate
from glore_video.data.samplers import TrainingBatches, shard
from glore_video.engine.cadence import Cadence
from glore_video.engine.launch.processes import Process
from glore_video.engine.moving_average import MovingAverage
from glore_video.engine.optimizer import GroupRules, build_optimizer, parameter_groups
from glore_video.engine.precise_batch_norms import BatchNormPolicy
from glore_video.engine.precision import Precision
from glore_video.engine.protocols import TrainingData, ValidationData, Words
from glore_video.engine.run_checkpoints import RunCheckpoints
from glore_video.engine.run_log import MetricsLog
from glore_video.engine.schedule import Schedule
from glore_video.engine.train_step import TrainStep
from glore_video.engine.trainer import Trainer
from glore_video.engine.unreadable import UnreadableSamples
from glore_video.seeding import generator_for

CPU = torch.device("cpu")
CLASSES, POSITIONS, IGNORED = 3, 4, 255
WORDS = Words(sample="vector", input="vector")


class Vectors(Dataset):
    """Some of them may be unreadable; in training the next one takes such a sample's place.

    A training key is (epoch, index), and its noise depends on both.
    """

    def __init__(self, count: int, *, unreadable=(), training: bool = False) -> None:
        self.count = count
        self.unreadable = set(unreadable)
        self.training = training

    def __len__(self) -> int:
        return self.count

    def path(self, index: int) -> str:
        return f"vector_{index}"

    def __getitem__(self, key) -> SampleItem:
        epoch, index = key if self.training else (0, key)
        failures = []
        while index in self.unreadable:
            failures.append((self.path(index), "torn"))
            if not self.training:
                return SampleItem(None, target_of(index), index, tuple(failures))
            index = (index + 1) % self.count
            if index == key[1]:
                return SampleItem(None, target_of(index), index, tuple(failures))
        noise = torch.randint(0, 60, (1, 3, 4), generator=generator_for(9, epoch, index))
        return SampleItem(
            (noise + 90 * (index % CLASSES)).to(torch.uint8), target_of(index), index, failures
        )


def target_of(index: int) -> Tensor:
    """int64 (POSITIONS,): index % POSITIONS of them ignored, the others of the sample's class."""
    target = torch.full((POSITIONS,), index % CLASSES)
    target[: index % POSITIONS] = IGNORED
    return target


class Network(nn.Module):
    """(n, 3, 4) -> logits (n, CLASSES, POSITIONS)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(12, 8, bias=False),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Dropout(0.1),
        )
        self.head = nn.Linear(8, CLASSES * POSITIONS)

    def forward(self, vectors: Tensor) -> Tensor:
        return self.head(self.body(vectors)).view(-1, CLASSES, POSITIONS)


def network(seed: int = 0, dtype: torch.dtype = torch.float32) -> Network:
    torch.manual_seed(seed)
    return Network().to(dtype)


class Normalize:
    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype

    def __call__(self, vectors: Tensor, device: torch.device) -> Tensor:
        return vectors.to(device).to(self.dtype) / 128 - 1


class Objective:
    """Cross-entropy of the positions that are not ignored."""

    def prepare(self, inputs, targets, generator):
        return inputs, targets

    def weight(self, targets: Tensor) -> Tensor:
        return (targets != IGNORED).sum()

    def loss_sum(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets, ignore_index=IGNORED, reduction="sum")


class Meter:
    """Accuracy of positions, and their mean loss; counts: losses, correct positions, positions."""

    main = "accuracy"
    size = 3

    def __init__(self, *, with_loss: bool) -> None:
        self.with_loss = with_loss

    def count(self, outputs: Tensor, targets: Tensor) -> Tensor:
        finite = outputs.isfinite().all(1)
        counted = targets != IGNORED
        losses = F.cross_entropy(outputs, targets, ignore_index=IGNORED, reduction="none")
        correct = (outputs.argmax(1) == targets) & counted & finite
        sums = [torch.where(finite, losses, 0).sum(), correct.sum(), counted.sum()]
        return torch.stack([each.double() for each in sums])

    def figures(self, counts: Tensor) -> dict[str, float]:
        loss, correct, counted = counts.tolist()
        if not counted:
            return {"loss": float("nan"), "accuracy": float("nan")}
        figures = {"loss": loss / counted} if self.with_loss else {}
        return {**figures, "accuracy": 100 * correct / counted}

    def text(self, figures, decimals: int) -> str:
        return f"accuracy {figures['accuracy']:.{decimals}f}%"


def train_step(model: nn.Module, process: Process | None = None, **changes) -> TrainStep:
    process = process or Process(0, 1, CPU)
    dtype = next(model.parameters()).dtype
    ema = changes.pop("ema", 0.0)
    lr = changes.pop("lr", 0.1)
    groups = parameter_groups(model, GroupRules(weight_decay=0.01, bn_weight_decay=0.0))
    options = {
        "model": model,
        "parallel": (parallel := process.parallel(model)),
        "compiled": parallel,
        "optimizer": build_optimizer("sgd", groups, lr=lr, momentum=0.9),
        "objective": Objective(),
        "meter": Meter(with_loss=False),
        "normalize": Normalize(dtype),
        "precision": Precision(device=CPU),
        "process": process,
        "average": MovingAverage(model, ema) if ema else None,
    }
    return TrainStep(**(options | changes))


def train_data(process: Process, *, count=24, batch_size=6, unreadable=(), seed=0) -> TrainingData:
    samples = Vectors(count, unreadable=unreadable, training=True)
    order = TrainingBatches(
        *(count,),
        batch_size=batch_size,
        seed=seed,
        rank=process.rank,
        world_size=process.world_size,
    )
    return TrainingData(
        DataLoader(samples, batch_sampler=order, collate_fn=collate), order, samples
    )


def val_data(process: Process, *, count=9, batch_size=4, unreadable=()) -> ValidationData:
    samples = Vectors(count, unreadable=unreadable)
    own = shard(count, rank=process.rank, world_size=process.world_size)
    loader = DataLoader(samples, sampler=own, batch_size=batch_size, collate_fn=collate)
    return ValidationData(loader, samples)


def trainer(folder, model: nn.Module | None = None, **changes) -> Trainer:
    """A run of 3 epochs of 4 steps; `changes` are fields, or settings of what fields hold."""
    process = changes.pop("process", None) or Process(0, 1, CPU)
    step_changes = {
        name: changes.pop(name)
        for name in ("ema", "lr", "accumulation", "clip_norm", "objective")
        if name in changes
    }
    step = train_step(model or network(), process, **step_changes)
    data = train_data(process, unreadable=changes.pop("unreadable_training", ()))
    val = val_data(process, unreadable=changes.pop("unreadable_validation", ()))
    cadence = {
        "max_epoch": 3,
        "eval_period": 1,
        "checkpoint_period": 1,
        "checkpoint_steps": 0,
        "log_period": 2,
    }
    cadence |= {name: changes.pop(name) for name in tuple(changes) if name in cadence}
    return Trainer(
        train_step=step,
        schedule=Schedule(
            policy="cosine",
            base_lr=changes.pop("base_lr", 0.1),
            max_epoch=cadence["max_epoch"],
        ),
        train_data=data,
        val_data=val,
        val_meter=Meter(with_loss=True),
        words=WORDS,
        process=process,
        metrics=MetricsLog(folder, tensorboard=False, enabled=process.is_main),
        checkpoints=RunCheckpoints(
            output_dir=folder,
            train_step=step,
            order=data.order,
            process=process,
            words=WORDS,
            keep=changes.pop("keep", 0),
            extras={"class_names": list("abc")},
        ),
        cadence=Cadence(**cadence),
        norms=BatchNormPolicy(
            freeze=changes.pop("freeze", False), precise_batches=changes.pop("precise_batches", 0)
        ),
        unreadable=UnreadableSamples(changes.pop("max_bad_fraction", 0.5), WORDS),
        seed=0,
        **changes,
    )
