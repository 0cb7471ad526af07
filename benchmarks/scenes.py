"""Testing a segmentation: ours against torchvision's reference evaluation of the same network.

    python benchmarks/scenes.py                                  # scenes of 2048 x 1024, a tiny network
    python benchmarks/scenes.py --backbone timm/resnet50 --size 512 1024 --window 385 385 --pictures 1
    python benchmarks/scenes.py --train --backbone timm/resnet50 --size 512 1024

From PNG files of rendered scenes to a confusion matrix, one picture at a time, whole and in sliding
windows. Ours is the loop of a run's test, which also writes each prediction as a PNG; the other side is
scene_reference.py. CPU time of one thread, fastest of interleaved rounds; memory is what a process of
its own needs at most above what it has with libraries, network and lists loaded (Linux). Ratios are
ours over the reference.

--train: a training step (forward, loss, backward) of the network with the unit in its head, over that of
the network without.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from memory import most_kib
from PIL import Image
from scene_reference import Pairs, evaluate, in_windows
from timing import compare
from torch import Tensor, nn
from torch.nn import functional as F

from glore_video.cli.arguments import Parser, positive
from glore_video.data.masks.layouts import find_layout
from glore_video.engine import tester
from glore_video.engine.launch.processes import Process
from glore_video.engine.precision import Precision
from glore_video.engine.record_shards import RecordShards
from glore_video.models import glore_units
from glore_video.models.segmentation import CITYSCAPES_CLASSES, build_segmentation
from glore_video.pixels.normalize import Normalize
from glore_video.statistics.confusion import mean_iou
from glore_video.tasks.segmentation.dataset import SceneSet
from glore_video.tasks.segmentation.evaluation import SceneEvaluation
from glore_video.tasks.segmentation.objective import PixelCrossEntropy
from glore_video.tasks.segmentation.scene_inference import SceneInference

CPU = torch.device("cpu")
NORMALIZE = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
STRIDE = 2 / 3
SIDES = ("ours", "reference")


def render(folder: Path, count: int, height: int, width: int) -> None:
    """Scenes of regions with blurred outlines, detail as in photographs, and a border that is ignored."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    colours = np.random.default_rng(0).integers(30, 226, (CITYSCAPES_CLASSES, 3))
    for what in ("images/val", "masks/val"):
        (folder / what).mkdir(parents=True)
    names = "\n".join(f"class {number}" for number in range(CITYSCAPES_CLASSES))
    (folder / "class_names.txt").write_text(names)
    for seed in range(count):
        drawn, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        coarse = torch.randn(1, CITYSCAPES_CLASSES, 10, 20, generator=generator)
        mask = F.interpolate(coarse, (height, width), mode="bicubic").argmax(1)[0].numpy()
        detail = np.fft.irfft2(
            np.fft.rfft2(drawn.normal(size=(height, width))) / frequency, (height, width)
        )
        picture = colours[mask] + (14 / detail.std() * detail)[..., None]
        picture += drawn.normal(0, 1.5, picture.shape)
        mask[: height // 32] = mask[-height // 10 :] = 255
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(
            folder / f"images/val/{seed}.png"
        )
        Image.fromarray(mask.astype(np.uint8)).save(folder / f"masks/val/{seed}.png")


def build(args: argparse.Namespace, form: str = "glore") -> nn.Module:
    """In eval mode; units and statistics as if it had been trained."""
    torch.manual_seed(0)
    network = build_segmentation(args.backbone, form=form, output_stride=args.output_stride)
    for unit in glore_units(network).values():
        nn.init.ones_(unit.blocker.weight)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(torch.randn(2, 3, 128, 128))
        nn.init.normal_(network.head.classifier.weight)
    return network.eval()


def testing(
    side: str, args: argparse.Namespace, folder: Path, window: tuple[int, ...]
) -> Callable[[], Tensor]:
    """A function that tests and returns the confusion matrix, float64 (classes, classes)."""
    network, layout = build(args), find_layout(folder)
    listed = layout.load("val")
    if side == "reference":
        shown = in_windows(network, window, STRIDE) if window else network
        masks = [Path(listed.mask(index)) for index in range(len(listed))]
        pairs = Pairs([*map(Path, listed.paths())], masks, NORMALIZE.mean, NORMALIZE.std)
        return lambda: evaluate(shown, pairs, CITYSCAPES_CLASSES).double()
    classes = layout.classes()
    evaluation = SceneEvaluation(
        scenes=SceneSet(pictures=listed, classes=classes),
        class_names=classes.names,
        inference=SceneInference(window=window, stride=STRIDE),
        keys={},
        input_shape=(3, *args.size),
        predictions=folder / "predictions",
    )

    def run() -> Tensor:
        shards = RecordShards(folder / "parts", evaluation.settings)
        records = tester.evaluate(
            network,
            evaluation,
            batch_size=1,
            normalize=NORMALIZE,
            precision=Precision(device=CPU),
            process=Process(0, 1, CPU),
            shards=shards,
        )
        shards.remove()
        matrices = evaluation.form.matrices(records.values)
        return torch.from_numpy(matrices.astype(np.float64).sum(0)[:, :-1])

    return run


def most_memory(
    side: str, args: argparse.Namespace, folder: Path, window: tuple[int, ...]
) -> float:
    """MiB, of a test in this process, which is to be a new one."""
    torch.set_num_threads(1)
    run = testing(side, args, folder, window)
    before = most_kib()
    run()
    return (most_kib() - before) / 1024


def measure_tests(args: argparse.Namespace, folder: Path) -> None:
    render(folder, args.pictures, *args.size)
    print(
        f"{'':22}{'pictures/s':>11}{'ratio':>7}{'MiB':>7}{'ratio':>7}{'mean IoU':>10}  pixels apart"
    )
    for window in ((), tuple(args.window)):
        runs = {side: testing(side, args, folder, window) for side in SIDES}
        matrices = {side: run() for side, run in runs.items()}
        costs = compare(runs, rounds=args.rounds, device=CPU, cpu_time=True)
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            most = {side: pool.apply(most_memory, (side, args, folder, window)) for side in SIDES}
        for side in SIDES:
            rates = [args.pictures / costs[each].seconds for each in (side, "reference")]
            apart = (matrices[side] - matrices["reference"]).abs().sum() / 2
            name = f"{'windows' if window else 'whole'}, {side}"
            print(
                f"{name:22}{rates[0]:11.3f}{rates[1] / rates[0]:7.2f}{most[side]:7.0f}"
                f"{most[side] / most['reference']:7.2f}{float(mean_iou(matrices[side].numpy())):10.4f}"
                f"  {apart:.0f} of {matrices[side].sum():.0f}",
                flush=True,
            )


def measure_training(args: argparse.Namespace) -> None:
    x = torch.randn(args.batch, 3, *args.size)
    targets = torch.randint(0, CITYSCAPES_CLASSES, (args.batch, *args.size))
    loss = PixelCrossEntropy()

    def step(network: nn.Module) -> Callable[[], object]:
        def run() -> None:
            network.zero_grad()
            loss.loss_sum(network(x), targets).backward()

        return run

    forms = {form: step(build(args, form).train()) for form in ("glore", "fcn", "nonlocal")}
    costs = compare(forms, rounds=args.rounds, device=CPU, cpu_time=True)
    print(f"{'training step':14}{'s':>8}{'ratio':>8}{'peak MiB':>10}{'ratio':>8}")
    plain = costs["fcn"]
    for form, cost in costs.items():
        print(
            f"{form:14}{cost.seconds:8.2f}{cost.seconds / plain.seconds:8.3f}"
            f"{cost.peak_bytes / 2**20:10.0f}{cost.peak_bytes / plain.peak_bytes:8.3f}"
        )


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    torch.set_num_threads(1)
    print(
        f"{args.backbone}, {args.size[1]} x {args.size[0]}, torch {torch.__version__}, one thread"
    )
    if args.train:
        measure_training(args)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure_tests(args, Path(folder))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="tiny2d", help="tiny2d or timm/<name>")
    parser.add_argument("--output-stride", type=positive, default=8, choices=(8, 16))
    parser.add_argument(
        "--size", nargs=2, type=positive, default=(1024, 2048), help="height, width"
    )
    parser.add_argument("--window", nargs=2, type=positive, default=(769, 769))
    parser.add_argument("--pictures", type=positive, default=4)
    parser.add_argument("--batch", type=positive, default=1, help="pictures of a training step")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--train", action="store_true", help="the unit in a training step")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
