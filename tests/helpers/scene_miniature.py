"""Small street scenes with masks in the folders of Cityscapes, Pascal VOC and own data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 128, 256
EGO, OUT, PARKING = 1, 3, 9
ROAD, SIDEWALK, BUILDING, POLE, SIGN, VEGETATION, SKY = 7, 8, 11, 17, 20, 21, 23
PERSON, RIDER, CAR, BUS, CARAVAN, BICYCLE = 24, 25, 26, 28, 29, 33
COLOURS = np.random.default_rng(3).integers(40, 216, (34, 3))
SPLITS = {"train": 4, "val": 4}


@dataclass(frozen=True)
class Scene:
    """A street: RGB uint8 (height, width, 3), label ids uint8 and instance ids int32 (height, width)."""

    picture: np.ndarray
    labels: np.ndarray
    instances: np.ndarray


def scene(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Scene:
    """Labels of things that are there in every scene, and of some that are not; none is a train (31)."""
    rng = np.random.default_rng(seed)
    labels = np.full((height, width), BUILDING, dtype=np.uint8)
    horizon = int(height * rng.uniform(0.4, 0.55))
    labels[: int(horizon * rng.uniform(0.3, 0.8))] = SKY
    labels[:horizon, : int(width * rng.uniform(0.1, 0.3))] = VEGETATION
    labels[horizon:] = SIDEWALK
    labels[horizon:, int(width * 0.2) : int(width * rng.uniform(0.7, 0.9))] = ROAD
    labels[horizon : horizon + height // 8, -width // 10 :] = PARKING
    column = int(rng.integers(width // 10, width - width // 10))
    labels[horizon // 2 : horizon + height // 10, column : column + max(1, width // 64)] = POLE
    labels[horizon // 2 : horizon // 2 + height // 12, column : column + width // 20] = SIGN
    instances = labels.astype(np.int32)
    things = {PERSON: 3, CAR: 2, BICYCLE: 1, seed % 2 and BUS: 1, seed % 3 and CARAVAN: 1}
    for label, count in things.items():
        for number in range(count if label else 0):
            rows = int(rng.integers(height // 12, height // 4))
            columns = int(rng.integers(width // 32, width // 6))
            top = int(rng.integers(horizon - rows // 2, height - rows - height // 10))
            left = int(rng.integers(0, width - columns))
            labels[top : top + rows, left : left + columns] = label
            instances[top : top + rows, left : left + columns] = 1000 * label + number
    top, left = horizon - height // 16, width // 2
    labels[top : top + 4, left : left + 9] = RIDER  # several that nobody took apart
    instances[top : top + 4, left : left + 9] = RIDER
    labels[-height // 10 :], instances[-height // 10 :] = EGO, EGO
    labels[:, :2], instances[:, :2] = OUT, OUT
    noise = rng.normal(0, 12, (height, width, 3))
    picture = np.clip(COLOURS[labels] + noise, 0, 255).astype(np.uint8)
    return Scene(picture, labels, instances)


def write_cityscapes(
    folder: Path,
    splits: Mapping[str, int] = SPLITS,
    *,
    height: int = HEIGHT,
    width: int = WIDTH,
) -> list[Scene]:
    """So many scenes a split, half of them in each of two cities; those of all splits in order."""
    scenes = []
    for split, count in splits.items():
        for number in range(count):
            city = ("aachen", "zürich")[number * 2 // count]
            drawn = scene(len(scenes), height, width)
            name = f"{city}_{number:06}_000019"
            picture = folder / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png"
            mask = folder / "gtFine" / split / city / f"{name}_gtFine_labelIds.png"
            for path in (picture, mask):
                path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(drawn.picture).save(picture)
            Image.fromarray(drawn.labels).save(mask)
            instances = Image.fromarray(drawn.instances.astype(np.uint16))
            instances.save(mask.with_name(f"{name}_gtFine_instanceIds.png"))
            scenes.append(drawn)
    return scenes


OWN_NAMES = ("road", "building", "everything else")
OWN_NUMBERS = np.select(
    [np.arange(34) < 7, np.arange(34) == ROAD, np.arange(34) == BUILDING], [255, 0, 1], 2
).astype(np.uint8)
"""Label id -> number in the masks of `write_own`."""


def write_own(
    folder: Path,
    splits: Mapping[str, int] = SPLITS,
    *,
    form: str = "{what}/{split}",
    height: int = HEIGHT,
    width: int = WIDTH,
) -> list[Scene]:
    """Own folders of three classes and 255, with class_names.txt, JPEGs and masks with a palette.

    Args:
        form: of a folder; `what` is images or masks, and every second scene lies one folder deeper.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "class_names.txt").write_text("\n".join(OWN_NAMES), encoding="utf-8")
    scenes = []
    for split, count in splits.items():
        for number in range(count):
            drawn = scene(len(scenes), height, width)
            inside = ("", "déjà vu")[number % 2]
            paths = []
            for what in ("images", "masks"):
                path = folder / form.format(what=what, split=split) / inside
                path.mkdir(parents=True, exist_ok=True)
                paths.append(path / f"scene {number}")
            Image.fromarray(drawn.picture).save(f"{paths[0]}.jpg", quality=95)
            mask = Image.fromarray(OWN_NUMBERS[drawn.labels])
            mask.putpalette(
                np.random.default_rng(1).integers(0, 256, 768).astype(np.uint8).tobytes()
            )
            mask.save(f"{paths[1]}.png")
            scenes.append(drawn)
    return scenes


def write_voc(folder: Path, splits: Mapping[str, int] = SPLITS) -> list[Scene]:
    """Pascal VOC's folders; roads are class 1, cars and persons have VOC's numbers."""
    numbers = np.zeros(34, dtype=np.uint8)
    numbers[[ROAD, CAR, PERSON, EGO]] = 1, 7, 15, 255
    lists = folder / "ImageSets" / "Segmentation"
    for path in (lists, folder / "JPEGImages", folder / "SegmentationClass"):
        path.mkdir(parents=True, exist_ok=True)
    scenes = []
    for split, count in splits.items():
        names = [f"2007_{len(scenes) + number:06}" for number in range(count)]
        (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for name in names:
            drawn = scene(len(scenes), 64, 96)
            Image.fromarray(drawn.picture).save(folder / "JPEGImages" / f"{name}.jpg", quality=95)
            mask = Image.fromarray(numbers[drawn.labels]).convert("P")
            mask.save(folder / "SegmentationClass" / f"{name}.png")
            scenes.append(drawn)
    return scenes
