"""CPU milliseconds of augmenting a training clip: on uint8 as we do it, and on float tensors.

    python benchmarks/augmentation.py                           # 8 frames of 340x256 to 224x224
    python benchmarks/augmentation.py --height 360 --width 640
    python benchmarks/augmentation.py --videos FOLDER           # what several clips a video save

"float" is the same with float32 frames in 0..1 and torchvision's functional transforms, which is how
SlowFast and pytorchvideo hold clips. Both sides get the same draws. The first part is one operation
at a time, bare; the second whole recipes from decoded uint8 frames to the clip, the mean over
--draws draws. CPU time of one thread, fastest of interleaved rounds; ratios are float over uint8.
With --videos instead: reading and cropping training clips, 1 to 4 from each opening of a file.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from timing import compare
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tvf

from glore_video.cli.arguments import Parser, positive
from glore_video.data.video.video_list import VideoList
from glore_video.pixels import rand_augment as rand
from glore_video.pixels.augmentation import Augmentation, Framing
from glore_video.pixels.colours import (
    HLS_UNITS,
    _shift_hls,
    colour_jitter,
    pixel_jitter,
    planar,
    shift_hls,
)
from glore_video.pixels.crops import random_area_crop, random_aspect, random_window
from glore_video.pixels.draws import chance, uniform, whole
from glore_video.pixels.erasing import RandomErasing
from glore_video.pixels.transforms import random_short_side, resize_short_side, to_clip
from glore_video.tasks.video_classification.dataset import TrainingClips
from glore_video.video import ClipSampling

CROP = 224
EPOCHS = 4  # clips of each video that --videos reads, from other starts each
BILINEAR = InterpolationMode.BILINEAR
# Float tensors are warped by torchvision, which knows bilinear only: so do both sides here.
SLOWFAST = rand.RandAugment.parse("rand-m7-n4-mstd0.5-inc1", interpolation="bilinear")
ERASING = RandomErasing(probability=0.25)
MEAN, STD = torch.tensor([0.45] * 3), torch.tensor([0.225] * 3)


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Clips as floats: (frames, 3, height, width) in 0..1


def affine(pictures: Tensor, *, degrees: float = 0, shear: Sequence[float] = (0, 0), **place):
    return tvf.affine(
        pictures,
        angle=degrees,
        translate=list(place.get("translate", (0, 0))),
        scale=1.0,
        shear=list(shear),
        interpolation=BILINEAR,
        fill=[0.5] * 3,
        center=place.get("center"),
    )


def sheared(strength: rand._Strength) -> float:
    return math.degrees(math.atan(strength.sign * 0.3 * strength.share))


FLOAT_OPERATIONS: dict[str, Callable[[Tensor, rand._Strength], Tensor]] = {
    "AutoContrast": lambda p, _: tvf.autocontrast(p),
    "Equalize": lambda p, _: tvf.equalize(p),
    "Invert": lambda p, _: tvf.invert(p),
    "Rotate": lambda p, s: affine(p, degrees=s.sign * 30 * s.share),
    "Posterize": lambda p, s: tvf.posterize(p, max(1, 4 - int(4 * s.share))),
    "Solarize": lambda p, s: tvf.solarize(p, 1 - s.share),
    "SolarizeAdd": lambda p, s: torch.where(p < 0.5, p + 0.43 * s.share, p),
    "Color": lambda p, s: tvf.adjust_saturation(p, s.factor),
    "Contrast": lambda p, s: tvf.adjust_contrast(p, s.factor),
    "Brightness": lambda p, s: tvf.adjust_brightness(p, s.factor),
    "Sharpness": lambda p, s: tvf.adjust_sharpness(p, s.factor),
    "ShearX": lambda p, s: affine(p, shear=(sheared(s), 0), center=[0, 0]),
    "ShearY": lambda p, s: affine(p, shear=(0, sheared(s)), center=[0, 0]),
    "TranslateX": lambda p, s: affine(p, translate=(0.45 * s.share * p.shape[3], 0)),
    "TranslateY": lambda p, s: affine(p, translate=(0, 0.45 * s.share * p.shape[2])),
}


def float_rand_augment(pictures: Tensor, generator: torch.Generator) -> Tensor:
    for name in SLOWFAST._names(generator):
        if chance(0.5, generator):
            pictures = FLOAT_OPERATIONS[name](pictures, SLOWFAST._strength(generator))
    return pictures


def float_resize(pictures: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(pictures, size=(height, width), mode="bilinear", align_corners=False)


def float_hls(pictures: Tensor, shifts: Sequence[float]) -> Tensor:
    units = [shift / unit for shift, unit in zip(shifts, HLS_UNITS, strict=True)]
    return torch.stack([_shift_hls(picture, *units) for picture in pictures])


def float_area_crop(pictures: Tensor, generator: torch.Generator) -> Tensor:
    height, width = pictures.shape[2:]
    top, left, rows, columns = random_window(height, width, (0.08, 1), (3 / 4, 4 / 3), generator)
    return float_resize(pictures[:, :, top : top + rows, left : left + columns], CROP, CROP)


def float_erasing(pictures: Tensor, generator: torch.Generator) -> Tensor:
    if chance(ERASING.probability, generator):
        for top, left, rows, columns in ERASING.boxes(CROP, CROP, generator):
            hole = pictures[:, :, top : top + rows, left : left + columns]
            hole.copy_(torch.randn(hole.shape, generator=generator))
    return pictures


def as_floats(frames: Tensor) -> Tensor:
    return planar(frames).float().div_(255)


def float_clip(pictures: Tensor) -> Tensor:
    """Normalised, (3, frames, height, width)."""
    normal = (pictures - MEAN.view(-1, 1, 1)) / STD.view(-1, 1, 1)
    return normal.transpose(0, 1).contiguous()


# Recipes, each (ours, on floats) from decoded frames and two generators

Recipe = Callable[[Tensor, torch.Generator, torch.Generator], Tensor]


def ours(augmentation: Augmentation, **changes: object) -> Recipe:
    framing = Framing(**{"short_sides": (256, 320), "crop_size": CROP, "flip": True} | changes)

    def recipe(frames: Tensor, generator: torch.Generator, colours: torch.Generator) -> Tensor:
        return to_clip(augmentation(frames, framing, generator=generator, colours=colours))

    return recipe


def on_floats(*, paper: bool = False, slowfast: bool = False, on_crop: bool = False) -> Recipe:
    def recipe(frames: Tensor, generator: torch.Generator, colours: torch.Generator) -> Tensor:
        pictures = as_floats(frames)
        if slowfast:
            if not on_crop:
                pictures = float_rand_augment(pictures, colours)
            pictures = float_area_crop(pictures, generator)
        else:
            height, width = pictures.shape[2:]
            if paper:
                side = uniform(224, 340, generator)
                aspect = random_aspect(0.8, 1.25, colours)
                height, width = height / aspect, width * aspect
            else:
                side = random_short_side(256, 320, uniform(0, 1, generator))
            scale = side / min(height, width)
            size = max(CROP, int(height * scale)), max(CROP, int(width * scale))
            pictures = float_resize(pictures, *size)
            top, left = (whole(0, length - CROP, generator) for length in size)
            pictures = pictures[:, :, top : top + CROP, left : left + CROP]
        if whole(0, 1, generator):
            pictures = pictures.flip(3)
        if on_crop:
            pictures = float_rand_augment(pictures, colours)
        if paper:
            pictures = float_hls(pictures, [uniform(-x, x, colours) for x in (15, 35, 25)])
        return float_clip(float_erasing(pictures, colours) if slowfast else pictures)

    return recipe


def operations(frames: Tensor) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Name -> (ours on uint8, the same on floats), on frames of the size of the crop."""
    pictures, floats = planar(frames), as_floats(frames)
    strength = rand._Strength(level=7, sign=1, increasing=True, kernel="bilinear")
    table: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "HLS jitter": (
            lambda: shift_hls(frames, 9, -20, 15),
            lambda: float_hls(floats, (9, -20, 15)),
        ),
        "colour jitter": (
            lambda: colour_jitter(frames, 0.4, drawn(0)),
            lambda: tvf.adjust_saturation(
                tvf.adjust_contrast(tvf.adjust_brightness(floats, 1.2), 0.9), 1.1
            ),
        ),
        "pixel jitter": (
            lambda: pixel_jitter(frames, (-20, 20), drawn(0)),
            lambda: floats + torch.rand(floats.shape, generator=drawn(0)),
        ),
        "erasing, always": (
            lambda: RandomErasing(probability=1)(frames, drawn(0)),
            lambda: float_erasing(floats.clone(), drawn(0)),
        ),
    }
    for name, (operation, _) in rand.OPERATIONS.items():
        table[f"RandAugment {name}"] = (
            lambda run=operation: run(pictures, strength),
            lambda run=FLOAT_OPERATIONS[name]: run(floats, strength),
        )
    return table


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    torch.set_num_threads(1)
    if args.videos:
        read_several(args)
        return
    shape = (args.frames, 3, args.height // 8, args.width // 8)
    coarse = torch.randint(0, 256, shape, generator=drawn(0)).float()
    smooth = float_resize(coarse, args.height, args.width).to(torch.uint8)
    frames = smooth.permute(0, 2, 3, 1).contiguous()  # (frames, height, width, 3)
    device = torch.device("cpu")
    print(f"{args.frames} frames of {args.width}x{args.height}, crop {CROP}; CPU ms a clip")
    print(f"{'one operation':40}{'uint8':>8}{'float':>8}{'ratio':>8}")
    cropped = resize_short_side(frames, CROP)[:, :CROP, :CROP].contiguous()
    table = operations(cropped)
    whole_frames = lambda: random_area_crop(frames, CROP, (0.5, 0.5), (1, 1), drawn(0))  # noqa: E731
    floats = as_floats(frames)
    table["area crop"] = (whole_frames, lambda: float_area_crop(floats, drawn(0)))
    for name, (uint8, on_float) in table.items():
        show(name, compare({"uint8": uint8, "float": on_float}, **settings(args, device)))
    print(f"{'recipe, from frames to clip':40}{'uint8':>8}{'float':>8}{'ratio':>8}")
    area = {"areas": (0.08, 1.0)}
    randaugment = Augmentation(rand_augment=SLOWFAST, erasing=ERASING)
    recipes = {
        "scale, crop, flip": (ours(Augmentation()), on_floats()),
        "the paper's: aspect, HLS": (
            ours(
                Augmentation(hls_ranges=(15, 35, 25)), short_sides=(224, 340), aspects=(0.8, 1.25)
            ),
            on_floats(paper=True),
        ),
        "SlowFast's: RandAugment, area, erasing": (
            ours(randaugment, **area),
            on_floats(slowfast=True),
        ),
        "the same, RandAugment on the crop": (
            ours(
                Augmentation(rand_augment=SLOWFAST, erasing=ERASING, rand_augment_on_crop=True),
                **area,
            ),
            on_floats(slowfast=True, on_crop=True),
        ),
    }
    for name, (uint8, on_float) in recipes.items():
        forms = {"uint8": uint8, "float": on_float}
        costs = compare(
            {key: repeated(recipe, frames, args.draws) for key, recipe in forms.items()},
            **settings(args, device),
        )
        show(name, costs, args.draws)


def read_several(args: argparse.Namespace) -> None:
    paths = sorted(str(p) for p in args.videos.rglob("*") if p.suffix in (".mp4", ".webm", ".mkv"))
    if not paths:
        raise SystemExit(f"--videos {args.videos}: no .mp4, .webm or .mkv file there")
    videos = VideoList(args.videos / "list.csv", paths, [0] * len(paths))

    def reading(num_clips: int) -> Callable[[], object]:
        clips = TrainingClips(
            videos=videos,
            sampling=ClipSampling(num_frames=args.frames, stride=8),
            framing=Framing(short_sides=(256, 320), crop_size=CROP, flip=True),
            num_clips=num_clips,
        )
        return lambda: [clips[e, index] for e in range(EPOCHS) for index in range(len(videos))]

    counts = (1, 2, 4)
    costs = compare({str(n): reading(n) for n in counts}, **settings(args, torch.device("cpu")))
    base = costs["1"].seconds
    print(f"{len(videos)} videos, {args.frames} frames, stride 8; CPU ms a clip, ratio to one clip")
    for count in counts:
        each = costs[str(count)].seconds / count
        print(
            f"{count} a video{1000 * each / EPOCHS / len(videos):10.1f}{each / base:8.2f}",
            flush=True,
        )


def repeated(recipe: Recipe, frames: Tensor, draws: int) -> Callable[[], object]:
    def run() -> None:
        for seed in range(draws):
            recipe(frames, drawn(seed), drawn(1000 + seed))

    return run


def settings(args: argparse.Namespace, device: torch.device) -> dict[str, object]:
    return {"rounds": args.rounds, "device": device, "cpu_time": True}


def show(name: str, costs: dict[str, object], draws: int = 1) -> None:
    uint8, on_float = (1000 * costs[key].seconds / draws for key in ("uint8", "float"))
    print(f"{name:40}{uint8:8.1f}{on_float:8.1f}{on_float / uint8:8.2f}", flush=True)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=positive, default=8)
    parser.add_argument("--height", type=positive, default=256)
    parser.add_argument("--width", type=positive, default=340)
    parser.add_argument("--videos", type=Path, help="folder of videos; measures reading instead")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--draws", type=positive, default=20, help="clips of a recipe a round")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
