"""Pictures a second on one core: ours, torchvision's reference transforms and timm's, from JPEG files.

    python benchmarks/pictures.py                          # 24 rendered JPEGs of 500x375
    python benchmarks/pictures.py --pictures FOLDER        # JPEGs of your own
    python benchmarks/pictures.py --interpolation bicubic

From the file to uint8 (3, 224, 224), which is normalised on the device; timm's loader does the same.
train: random resized crop, mirror image. eval: shorter side 256, centre crop. torchvision's references
open pictures with Pillow, or decode into tensors (--backend tensor there); both are shown. CPU time of
one thread, fastest of interleaved rounds; every side draws its own windows, each round anew. Ratios
are ours over the other.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import timm.data
import torch
from PIL import Image
from timing import compare
from torch import Tensor
from torchvision import io
from torchvision.transforms import v2

from glore_video.cli.arguments import Parser, positive
from glore_video.images import read_image
from glore_video.images.views import PictureViews
from glore_video.pixels.augmentation import Augmentation, Framing
from glore_video.pixels.transforms import to_clip

CROP, SIDE = 224, 256
HEIGHT, WIDTH = 375, 500  # the commonest size in ImageNet
QUALITY = 92  # some 110 KB a picture, as ImageNet's

Read = Callable[[Path], object]


def render(folder: Path, count: int) -> list[Path]:
    """JPEGs whose detail has the spectrum of photographs: amplitude falls as one over frequency."""
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None])
    frequency[0, 0] = np.inf
    paths = []
    for seed in range(count):
        drawn = np.random.default_rng(seed)
        light = drawn.normal(size=(HEIGHT, WIDTH))
        planes = []
        for _ in range(3):
            noise = 0.9 * light + 0.3 * drawn.normal(size=(HEIGHT, WIDTH))
            plane = np.fft.irfft2(np.fft.rfft2(noise) / frequency, (HEIGHT, WIDTH))
            planes.append(120 + 50 * plane / plane.std())
        pixels = np.stack(planes, axis=2).clip(0, 255).astype(np.uint8)
        paths.append(folder / f"{seed}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=QUALITY)
    return paths


def ours(interpolation: str) -> tuple[Read, Read]:
    framing = Framing(
        short_sides=(SIDE, SIDE),
        crop_size=CROP,
        flip=True,
        areas=(0.08, 1.0),
        interpolation=interpolation,
        antialias=True,
    )
    augmentation, generator = Augmentation(), torch.Generator().manual_seed(0)
    views = PictureViews(size=CROP, sides=(SIDE,), interpolation=interpolation)

    def train(path: Path) -> Tensor:
        frames = augmentation(read_image(path), framing, generator=generator, colours=generator)
        return to_clip(frames)[:, 0]  # (3, height, width)

    return train, lambda path: views(read_image(path))[0]


def pillow(path: Path) -> Image.Image:
    """As ImageFolder and timm open a picture."""
    with path.open("rb") as file:
        return Image.open(file).convert("RGB")


def tensor(path: Path) -> Tensor:
    """As torchvision's references do with --backend tensor."""
    return io.decode_image(str(path), mode="RGB")


def torchvisions(interpolation: str, load: Callable[[Path], object]) -> tuple[Read, Read]:
    way = v2.InterpolationMode(interpolation)
    last = [v2.PILToTensor()] if load is pillow else []
    train = v2.Compose(
        [
            v2.RandomResizedCrop(CROP, interpolation=way, antialias=True),
            v2.RandomHorizontalFlip(),
            *last,
        ]
    )
    evaluate = v2.Compose(
        [v2.Resize(SIDE, interpolation=way, antialias=True), v2.CenterCrop(CROP), *last]
    )
    return (
        lambda path: _as_tensor(train(load(path))),
        lambda path: _as_tensor(evaluate(load(path))),
    )


def _as_tensor(picture: Tensor) -> Tensor:
    return picture.contiguous()  # as collating makes it


def timms(interpolation: str) -> tuple[Read, Read]:
    shared = {"input_size": (3, CROP, CROP), "interpolation": interpolation, "use_prefetcher": True}
    train = timm.data.create_transform(**shared, is_training=True, color_jitter=None)
    evaluate = timm.data.create_transform(**shared, crop_pct=CROP / SIDE)
    return lambda path: train(pillow(path)), lambda path: evaluate(pillow(path))


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # torchvision's decoders are to move to another package
    with tempfile.TemporaryDirectory() as folder:
        if args.pictures:
            paths = sorted(
                p for p in args.pictures.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg")
            )
        else:
            paths = render(Path(folder), args.count)
        if not paths:
            raise SystemExit(f"--pictures {args.pictures}: no .jpg or .jpeg file there")
        measure(paths, args)


def measure(paths: Sequence[Path], args: argparse.Namespace) -> None:
    sides = {
        "ours": ours(args.interpolation),
        "torchvision, Pillow": torchvisions(args.interpolation, pillow),
        "torchvision, tensor": torchvisions(args.interpolation, tensor),
        "timm": timms(args.interpolation),
    }
    size = sum(path.stat().st_size for path in paths) / len(paths) / 1000
    print(
        f"{len(paths)} JPEGs of {size:.0f} KB, {args.interpolation}; pictures a second on one core"
    )
    print(f"{'':24}{'train':>8}{'ratio':>8}{'eval':>8}{'ratio':>8}")
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for recipe in (0, 1):
        forms = {name: _reading(reads[recipe], paths) for name, reads in sides.items()}
        costs = compare(forms, rounds=args.rounds, device=torch.device("cpu"), cpu_time=True)
        for name, cost in costs.items():
            rates[name].append(len(paths) / cost.seconds)
    for name, (train, evaluate) in rates.items():
        ratios = [ours_ / theirs for ours_, theirs in zip(rates["ours"], rates[name], strict=True)]
        print(f"{name:24}{train:8.0f}{ratios[0]:8.2f}{evaluate:8.0f}{ratios[1]:8.2f}")


def _reading(read: Read, paths: Sequence[Path]) -> Callable[[], object]:
    def run() -> None:
        for path in paths:
            read(path)

    return run


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="folder of JPEGs, at any depth")
    parser.add_argument("--count", type=positive, default=24, help="pictures to render")
    parser.add_argument("--interpolation", choices=("bilinear", "bicubic"), default="bilinear")
    parser.add_argument("--rounds", type=positive, default=15)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
