"""A step of pictures with different numbers of ignored pixels, in parts and on two processes."""

import copy
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from toy_task import CPU, train_step

from glore_video.engine.batch_norms import convert_batch_norms, freeze_batch_norms
from glore_video.engine.launch.processes import Process
from glore_video.engine.train_step import Sums
from glore_video.models import glore_units
from glore_video.models.segmentation import build_segmentation
from glore_video.models.units.all_reduce import gather_over_processes, processes_of
from glore_video.pixels.normalize import Normalize
from glore_video.statistics.confusion import IGNORED
from glore_video.tasks.segmentation.meter import PixelMeter
from glore_video.tasks.segmentation.objective import PixelCrossEntropy

CLASSES, STEPS = 3, 2
WEIGHTED = {"class_weights": (0.5, 2.0, 1.0), "hard": 0.9, "least": 50}


def pictures():
    """uint8 (4, 3, 16, 24) and targets; 0, 1/2, 7/8 and all of the rows are ignored."""
    generator = torch.Generator().manual_seed(0)
    shown = torch.randint(0, 256, (4, 3, 16, 24), dtype=torch.uint8, generator=generator)
    targets = torch.randint(0, CLASSES, (4, 16, 24), generator=generator)
    for target, rows in zip(targets, (0, 8, 14, 16), strict=True):
        target[:rows] = IGNORED
    return shown, targets


def network():
    torch.manual_seed(0)
    model = build_segmentation(
        "tiny2d", num_classes=CLASSES, form="glore", channels=8, auxiliary=True, dropout=0
    )
    for unit in glore_units(model).values():
        nn.init.ones_(unit.blocker.weight)
    return model.train()


def trained(model, batch, *, process=None, accumulation=1, **options):
    """The steps' mean losses, and the model's state after them."""
    step = train_step(
        model,
        process,
        objective=PixelCrossEntropy(**options),
        meter=PixelMeter(),
        normalize=Normalize(mean=(0.5,) * 3, std=(0.2,) * 3),
        accumulation=accumulation,
    )
    losses = [Sums.of(step(*batch, torch.Generator())).mean_loss for _ in range(STEPS)]
    return losses, model.state_dict()


def assert_equal(found, expected, start):
    """To rounding of float32, of what the steps changed."""
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=0)
    moved = 0
    for key, value in expected[1].items():
        change = (value.double() - start[key].double()).norm()
        moved += float(change) > 1e-4
        assert (found[1][key].double() - value.double()).norm() <= 2e-3 * change + 1e-6, key
    assert moved > 20


@pytest.mark.parametrize("options", [{}, WEIGHTED], ids=["plain", "weighted and hard"])
@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_step_are_the_whole(parts, options):
    results = []
    for accumulation in (1, parts):
        model = network()
        freeze_batch_norms(model)
        start = copy.deepcopy(model.state_dict())
        results.append(trained(model, pictures(), accumulation=accumulation, **options))
    assert_equal(results[1], results[0], start)


def over_gloo(norm, x):
    """What torch's synchronised norm computes on GPUs: it refuses CPUs."""
    group = processes_of(norm)
    assert group is not None
    values = x.transpose(0, 1).flatten(1)
    own = torch.stack(
        [values.sum(1), values.square().sum(1), torch.full_like(values[:, 0], len(values[0]))]
    )
    total, squares, count = gather_over_processes(own, group).sum(0)
    mean, variance = total / count, squares / count - (total / count).square()
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * count / (count - 1), norm.momentum)
    shape = (1, -1, 1, 1)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return (x - mean.view(shape)) * scale.view(shape) + norm.bias.view(shape)


def one_of_two(rank: int, folder: Path):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    nn.SyncBatchNorm.forward = over_gloo
    DistributedDataParallel._passing_sync_batchnorm_handle = lambda self, module: None
    model = convert_batch_norms(network(), "sync_batchnorm")
    own = [each[2 * rank : 2 * rank + 2] for each in pictures()]
    torch.save(
        trained(model, own, process=Process(rank, 2, CPU), **WEIGHTED), folder / f"{rank}.pt"
    )
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_with_synchronised_norms_are_one(tmp_path):
    mp.spawn(one_of_two, (tmp_path,), nprocs=2)
    model = network()
    start = copy.deepcopy(model.state_dict())
    whole = trained(model, pictures(), **WEIGHTED)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        # What a process prints is its own part; the losses of both are not asked for.
        assert_equal((whole[0], found[1]), whole, start)
